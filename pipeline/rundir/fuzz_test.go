package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
)

// FuzzRun replaces one file of a run by any bytes, and reads everything. Errors are
// one line that names a file, and what is read makes sense.
func FuzzRun(f *testing.F) {
	files := map[string]string{
		configFile:                    `{"tftl":"1","seed":1,"data":{"path":"/d","split":[0.7,0.15,0.15]},"model":{},"training":{"stages":[{"name":"head","epochs":3}]},"runtime":{}}`,
		labelsFile:                    "cat\ndog\n",
		dataFile:                      "path,label,split\na.jpg,cat,train\n\"b,\"\"\n.jpg\",dog,val\n",
		contentsFile:                  "path,sha256\na.jpg," + strings.Repeat("0f", 32) + "\n",
		historyFile:                   `{"stage":"head","epoch":1,"step":2,"lr":0.001,"loss":0.5,"accuracy":1,"val_loss":null,"best":true}` + "\n",
		timingFile:                    `{"phase":"features","stage":"head","images":2,"cached":1,"seconds":0.5,"computing":0.25}` + "\n",
		tuneFile:                      `{"monitor":"val_loss","rungs":[{"settings":1,"epochs":1}],"settings":[{"lr":0.1,"rung":1,"score":null}],"chosen":0}`,
		"checkpoints/last/state.json": `{"state":{"begun":true,"stage":0,"epochs":1,"step":2,"start":[0.5]},"sha256":{}}`,
		"checkpoints/best/state.json": `{"state":{"begun":true,"epochs":-1,"step":9223372036854775807},"sha256":{"ckpt.index":"00"}}`,
		batchFile:                     `{"inputs_sha256":"","terms_sha256":"","evaluation_sha256":""}`,
		decisionFile:                  `{"temperature":2,"threshold":0.5}`,
		evaluationFile:                `{"samples":2}`,
		badImagesFile:                 "path,label,split,reason\n",
	}
	for name, text := range files {
		f.Add(name, []byte(text))
	}
	f.Fuzz(func(t *testing.T, changed string, content []byte) {
		if _, known := files[changed]; !known {
			return
		}
		d := Dir{t.TempDir()}
		for name, text := range files {
			if name == changed {
				text = string(content)
			}
			path := d.File(name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		readAll(t, d)
	})
}

func readAll(t *testing.T, d Dir) {
	t.Helper()
	check := func(what string, err error) {
		t.Helper()
		if err != nil && !errors.Is(err, fs.ErrNotExist) && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), d.Path)) {
			t.Errorf("%s: %q", what, err)
		}
	}
	if _, err := Find(d.Path); err != nil {
		check("find", err)
	}
	_, err := d.ReadConfig()
	check("config", err)
	classes, err := d.ReadLabels()
	check("labels", err)
	if err == nil && len(classes) < 2 {
		t.Errorf("classes %q", classes)
	}
	images, err := d.ReadData()
	check("data", err)
	for _, image := range images {
		if parts := pipeline.Parts(); image.Part != parts[0] && image.Part != parts[1] && image.Part != parts[2] {
			t.Errorf("%+v", image)
		}
	}
	_, err = d.ReadContents()
	check("contents", err)
	_, err = d.ReadBadImages()
	check("bad images", err)
	_, err = d.ReadHistory()
	check("history", err)
	_, err = d.ReadTiming()
	check("timing", err)
	_, err = d.ReadTuning()
	check("tuning", err)
	_, err = d.ReadBatchRecord()
	check("batch", err)
	check("evaluation", d.ReadEvaluation(new(any)))
	check("decision", d.ReadDecision(new(any)))
	_, _ = d.Unfinished()
	d.Finished(1)
	state, history, _, err := d.Resume()
	check("resume", err)
	if err == nil && (len(history) != state.Epochs || state.Epochs < 0) {
		t.Errorf("%d epochs of history, state %+v", len(history), state)
	}
}
