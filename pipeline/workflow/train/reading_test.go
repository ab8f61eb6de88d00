package train_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/contents"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/internal/fake"
	"tftl/pipeline/workflow/train"
)

// remembering is an environment that remembers what was learnt of files. Its clock is
// ahead, so that files have not just been changed.
func (s *setting) remembering(verify bool) workflow.Env {
	env := s.Env()
	now := func() time.Time { return time.Now().Add(time.Minute) }
	env.Contents = contents.Open(contents.Options{Dir: s.path("cache"), Distrust: verify, Now: now})
	return env
}

// wantOpens compares how often images were opened.
func wantOpens(t *testing.T, what string, opened map[string]int, times, images int) {
	t.Helper()
	count := 0
	for path, n := range opened {
		if n != times {
			t.Errorf("%s: %s was opened %d times, want %d", what, path, n, times)
		}
		count++
	}
	if count != images {
		t.Errorf("%s: %d images were opened, want %d", what, count, images)
	}
}

func TestEachImageIsReadOnce(t *testing.T) {
	const all = 16
	for name, change := range map[string]func(*train.Request){
		"plain":      func(*train.Request) {},
		"skip":       func(r *train.Request) { r.Config.Data.OnBadImage = train.SkipBadImages },
		"cutmix":     func(r *train.Request) { r.Config.Training.CutMix = 1 },
		"two stages": func(r *train.Request) { r.Config.Training.Stages = twoStages(r.Config.Training.Rate) },
		"tuned": func(r *train.Request) {
			r.Config.Training.Tune = &rundir.Tune{Settings: 4, Search: []pipeline.Option{"lr"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t)
			s.t = t
			bad := 0 // images, which are read each time to tell what is wrong
			if name == "skip" {
				bad = 1
				fake.Write(t, s.path("photos/train/cat/1.jpg"), "bad")
			}
			opens := fake.Opens(t, s.path("photos"))
			fit := func(output string, verify bool) error {
				r := s.request(output)
				r.Cache.Dir = s.path("cache")
				change(&r)
				return s.try(r, s.remembering(verify))
			}
			deeper := 0 // images that a deeper stage decodes
			if name == "two stages" {
				deeper = 12
			}
			if err := fit("cold", false); err != nil {
				t.Fatal(err)
			}
			opened := opens()
			for path, n := range opened {
				if deeper > 0 && n == 2 && !strings.HasPrefix(path, "test/") {
					opened[path] = 1
				}
			}
			wantOpens(t, "cold", opened, 1, all)
			if err := fit("warm", false); err != nil {
				t.Fatal(err)
			}
			warm := bad
			if name == "cutmix" { // whose pixels are not cached on disk
				warm = 8
			}
			wantOpens(t, "warm", opens(), 1, warm)
			if err := fit("verified", true); err != nil {
				t.Fatal(err)
			}
			wantOpens(t, "verified", opens(), 1, all)
			s.same("cold", "warm", repeated...)
			s.same("cold", "verified", repeated...)
			if name == "cutmix" {
				return
			}
			run, err := train.Resume(t.Context(), s.path("warm"), train.Moved{}, workflow.Session{}, train.Options{}, s.remembering(false))
			if err != nil {
				t.Fatal(err)
			}
			s.end(run)
			wantOpens(t, "resumed", opens(), 1, 0)
		})
	}
}

func twoStages(r rundir.Rate) []rundir.Stage {
	return []rundir.Stage{{Name: "head", Epochs: 2, Rate: r}, {Name: "block2", Epochs: 2, Rate: r}}
}

// A file may change without another size or another time of modification. Its time of
// change tells.
func TestChangedFilesAreReadAgain(t *testing.T) {
	s := newSetting(t)
	opens := fake.Opens(t, s.path("photos"))
	outputs := 0
	fit := func(verify bool) string {
		t.Helper()
		outputs++
		r := s.request(fmt.Sprint("run", outputs))
		r.Cache.Dir = s.path("cache")
		if err := s.try(r, s.remembering(verify)); err != nil {
			t.Fatal(err)
		}
		return s.read(fmt.Sprintf("run%d/contents.csv", outputs))
	}
	before := fit(false)
	opens()
	image := s.path("photos/train/cat/0.jpg")
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(image, time.Time{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if fit(false) != before {
		t.Error("a touched image has other contents")
	}
	wantOpens(t, "touched", opens(), 1, 1)
	if err := errors.Join(os.WriteFile(image, []byte("-3"), 0o600), os.Chtimes(image, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	opens()
	if after := fit(false); after == before {
		t.Error("a changed image has the same contents")
	}
	wantOpens(t, "changed", opens(), 1, 1)
}

// What is remembered wrongly is found out when the image is read.
func TestWrongContentsAreDistrusted(t *testing.T) {
	s := newSetting(t)
	request := s.request("right")
	request.Cache.Dir = s.path("cache")
	if err := s.try(request, s.remembering(false)); err != nil {
		t.Fatal(err)
	}
	env := s.remembering(false)
	path := s.path("photos/train/cat/0.jpg")
	env.Contents.Learn(env.Contents.KeyOf(path), contents.Known{Digest: [32]byte{1}})
	if err := env.Contents.Save(); err != nil {
		t.Fatal(err)
	}
	request.Output = s.path("wrong")
	err := s.try(request, s.remembering(false))
	refused(t, err, pipeline.BadData, "train/cat/0.jpg: the image has changed since the run first read it")
	if hint := pipeline.HintOf(err).String(); !strings.Contains(hint, "verify") {
		t.Errorf("hint %q", hint)
	}
	request.Output = s.path("verified")
	if err := s.try(request, s.remembering(true)); err != nil {
		t.Fatal(err)
	}
	request.Output = s.path("after")
	if err := s.try(request, s.remembering(false)); err != nil {
		t.Fatal(err)
	}
	s.same("right", "verified", repeated...)
	s.same("right", "after", repeated...)
}

// A table that is damaged or cannot be written costs time and nothing else.
func TestContentsThatCannotBeKept(t *testing.T) {
	s := newSetting(t)
	s.fit(s.request("plain"))
	for name, spoil := range map[string]func(){
		"damaged": func() { fake.Write(t, s.path("cache/contents.table"), "TFTLCONT and no more") },
		"a folder": func() {
			if err := errors.Join(os.RemoveAll(s.path("cache/contents.table")), os.MkdirAll(filepath.Join(s.path("cache/contents.table"), "x"), 0o777)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		spoil()
		request := s.request(name)
		if err := s.try(request, s.remembering(false)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s.same("plain", name, repeated...)
		if err := os.RemoveAll(s.path("cache")); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Noted("the next command reads the images again") {
		t.Error("nothing is said")
	}
}

// The frozen pass of a run that starts from fine-tuned weights uses those, also
// before a search.
func TestFirstPassHasTheWeightsOfTheEarlierRun(t *testing.T) {
	s := newSetting(t)
	deeper := s.request("deeper")
	deeper.Config.Training.Stages = []rundir.Stage{{Name: "block2", Epochs: 1, Rate: deeper.Config.Training.Rate}}
	s.fit(deeper)
	plain, tuned := s.request("plain"), s.request("tuned")
	plain.InitFrom, tuned.InitFrom = s.path("deeper"), s.path("deeper")
	tuned.Config.Training.Tune = &rundir.Tune{Settings: 2, Search: []pipeline.Option{"l2"}} // which the fake network ignores
	for _, r := range []*train.Request{&tuned, &plain} {
		r.Cache.Dir = s.path("cache")
		s.fit(*r)
	}
	s.same("plain", "tuned", "history.jsonl")
	plain.Output, plain.Cache = s.path("off"), train.Cache{Off: true}
	s.fit(plain)
	s.same("plain", "off", "history.jsonl")
}
