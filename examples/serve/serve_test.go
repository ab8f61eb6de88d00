package main

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Tolerances of a probability. TensorFlow decodes JPEGs with libjpeg's fast inverse
// transform, whose pixels are off by some levels; PNGs have the same pixels.
const (
	ofPNG  = 1e-5
	ofJPEG = 0.02
)

func TestAnswersAreThoseOfTftl(t *testing.T) {
	w := setUp(t)
	m, err := openModel(w.onnx, onnxruntime(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	var files []string
	for _, pattern := range []string{"photos/*/*", "formats/*", "real/*", "traits/*", "spoilt/*"} {
		found, _ := filepath.Glob(filepath.Join(fixtures(t), pattern))
		files = append(files, found...)
	}
	photographs, _ := filepath.Glob("../../build/demo/*/*/*.jpg")
	if len(photographs) == 0 {
		t.Log("make demo has not made its photographs: only fixtures are compared")
	}
	files = append(files, photographs...)
	// Novelty is a constant of the graph, so it stays.
	for i, flags := range [][]string{nil, {"--threshold", "0.3", "--temperature", "0.5", "--abstain", "off", "--conformal", "0.8"}, {"--threshold", "argmax", "--temperature", "1", "--abstain", "coverage=0.5", "--conformal", "off"}} {
		if flags != nil {
			w.decide(t, flags...)
			m.decision = decision{}
			if err := json.Unmarshal(read(t, w.run, "decision.json"), &m.decision); err != nil {
				t.Fatal(err)
			}
		}
		top := []string{"", "?top=1"}[i%2]
		compare(t, w, m, files, top)
	}
}

// compare asks tftl and the service about the same files.
func compare(t *testing.T, w work, m *model, files []string, top string) {
	t.Helper()
	command := []string{tftl(t), "predict", "--model", w.run, "--precision", "float32", "--json"}
	if top != "" {
		command = append(command, "--top-k", top[len("?top="):])
	}
	out, err := output(append(command, files...)...)
	if err != nil && !strings.Contains(err.Error(), "exit status 3") { // which bad images have
		t.Fatal(err)
	}
	b := &batcher{run: m.run, most: 8, jobs: make(chan *job, 8)}
	s := newServer(m, b, limits{bytes: 20 << 20, pixels: 30e6, together: 60e6, requests: 8, body: time.Minute, answer: time.Minute})
	go b.work()
	defer close(b.jobs)
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(files) {
		t.Fatalf("%d answers for %d files", len(lines), len(files))
	}
	compared := 0
	for i, line := range lines {
		path := files[i]
		var want struct {
			answer
			Error string
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		recorder := httptest.NewRecorder()
		s.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/predict"+top, bytes.NewReader(read(t, path))))
		if recorder.Code != http.StatusOK {
			if want.Error == "" && (recorder.Code != http.StatusUnsupportedMediaType || isJPEGOrPNG(read(t, path))) {
				t.Errorf("%s: %d %s", path, recorder.Code, recorder.Body)
			}
			continue
		}
		var got answer
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if want.Error != "" {
			t.Errorf("%s: %s, but tftl says %s", path, recorder.Body, want.Error)
			continue
		}
		tolerance := ofJPEG
		if bytes.HasPrefix(read(t, path), []byte("\x89PNG")) {
			tolerance = ofPNG
		}
		compared++
		if !alike(t, got, want.answer, m.decision, tolerance) {
			t.Errorf("%s: %s, but tftl says %s", path, recorder.Body, line)
		}
	}
	if compared < 90 {
		t.Errorf("%d files were compared", compared)
	}
}

func isJPEGOrPNG(encoded []byte) bool {
	return bytes.HasPrefix(encoded, []byte("\xff\xd8")) || bytes.HasPrefix(encoded, []byte("\x89PNG"))
}

// alike says whether two answers agree. What depends on a limit may differ where the
// value is as close to it as the tolerance.
func alike(t *testing.T, got, want answer, d decision, tolerance float64) bool {
	t.Helper()
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) <= tolerance }
	if (got.Novelty == nil) != (want.Novelty == nil) || len(got.Top) != len(want.Top) || len(got.Probabilities) != len(want.Probabilities) || (got.Accepted == nil) != (want.Accepted == nil) {
		return false
	}
	if tolerance == ofPNG {
		// Everything but the numbers is equal.
		a, b := got, want
		a.Probability, a.Novelty, a.Probabilities, a.Top = b.Probability, b.Novelty, b.Probabilities, b.Top
		if !reflect.DeepEqual(a, b) || got.Novelty != nil && math.Abs(float64(*got.Novelty-*want.Novelty)) > 1e-3 {
			return false
		}
	}
	if got.Predicted == want.Predicted && !near(got.Probability, want.Probability) {
		return false
	}
	for label, p := range got.Probabilities {
		if !near(p, want.Probabilities[label]) {
			return false
		}
	}
	if got.Predicted != want.Predicted {
		limit := float32(0.5)
		if d.Threshold > 0 {
			limit = float32(d.Threshold)
		}
		red := got.Probability
		if got.Predicted != "red" {
			red = 1 - red
		}
		return near(red, limit)
	}
	return true
}

// The decision of the file itself, through the program, as a user meets it.
func TestTheProgramAnswersAndStops(t *testing.T) {
	w := setUp(t)
	command := exec.Command(w.load, "-serve", w.serve, "-model", w.onnx, "-library", onnxruntime(t), "-photographs", filepath.Join(fixtures(t), "photos"), "-requests", "200")
	var faults bytes.Buffer
	command.Stderr = &faults
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, faults.Bytes())
	}
	if !strings.Contains(string(out), "| 200, 32 at a time, in ") || !strings.Contains(string(out), " s | 120 | 70 | 10 | ") {
		t.Errorf("load prints %s", out)
	}
	if !strings.Contains(faults.String(), "stopped: every request was answered") {
		t.Errorf("the service says %s", faults.Bytes())
	}
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	w := setUp(t)
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := filepath.Join(folder, "foreign.onnx")
	execute(t, python(t), "-c", "import onnx, sys\nm = onnx.load(sys.argv[1])\ndel m.metadata_props[:]\nonnx.save(m, sys.argv[2])", w.onnx, foreign)
	other := filepath.Join(folder, "other.so")
	execute(t, "cc", "-shared", "-o", other, "-x", "c", write("other.c", "int nothing;"))
	old := filepath.Join(folder, "old.so") // a runtime that knows no API of this version
	execute(t, "cc", "-shared", "-fPIC", "-o", old, "-x", "c", write("old.c", `
static const void *api(unsigned version) { return 0; }
static const char *version(void) { return "1.0.0"; }
static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base = {api, version};
const void *OrtGetApiBase(void) { return &base; }`))
	library := onnxruntime(t)
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{nil, "serve: -model is missing"},
		{[]string{"-model", "nowhere.onnx", "-library", library}, "serve: stat nowhere.onnx: no such file or directory"},
		{[]string{"-model", folder, "-library", library}, "is not a file"},
		{[]string{"-model", write("text.onnx", "text"), "-library", library}, "text.onnx: "},
		{[]string{"-model", write("empty.onnx", ""), "-library", library}, "empty.onnx: "},
		{[]string{"-model", foreign, "-library", library}, `its metadata has no "labels": it is not a model that scripts/convert.py of tftl wrote`},
		{[]string{"-model", w.onnx, "-library", "nowhere.so"}, "serve: stat nowhere.so: no such file or directory"},
		{[]string{"-model", w.onnx, "-library", write("text.so", "text")}, "which must be onnxruntime 1.24 or later"},
		{[]string{"-model", w.onnx, "-library", other}, "which must be onnxruntime 1.24 or later"},
		{[]string{"-model", w.onnx, "-library", old}, "which must be onnxruntime 1.24 or later"},
		{[]string{"-model", w.onnx, "-library", library, "-listen", "nowhere:port"}, "serve: listen tcp: "},
		{[]string{"-model", w.onnx, "-batch", "0"}, "must be above 0"},
		{[]string{"-model", w.onnx, "-max-pixels", "100", "-pixels-in-flight", "99"}, "-pixels-in-flight is less than -max-pixels"},
		{[]string{"-model", w.onnx, "more"}, `unexpected argument "more"`},
		{[]string{"-nothing"}, "flag provided but not defined: -nothing"},
	} {
		out, err := exec.Command(w.serve, c.arguments...).CombinedOutput()
		text := string(out)
		if err == nil || !strings.Contains(text, c.want) || strings.Contains(text, "goroutine") || strings.Count(text, "\n") != 1 {
			t.Errorf("%v: %v, %s", c.arguments, err, text)
		}
	}
	if out, err := exec.Command(w.serve, "-help").CombinedOutput(); err != nil || !strings.Contains(string(out), "-pixels-in-flight N") {
		t.Errorf("%v: %s", err, out)
	}
}
