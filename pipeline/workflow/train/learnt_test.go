package train_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/internal/fake"
	"tftl/pipeline/workflow/train"
)

// numbers is n images, each with its number.
type numbers int

func (n numbers) Len() int                     { return int(n) }
func (n numbers) Sample(i int) pipeline.Sample { return pipeline.Sample{ID: fmt.Sprint(i), Weight: 1} }
func (n numbers) Bytes(i int) ([]byte, error)  { return fmt.Append(nil, i), nil }

// learn opens what a run has learnt.
func (s *setting) learn(run string, cache train.Cache) *train.Learnt {
	s.t.Helper()
	l, err := train.LearnModel(rundir.Dir{Path: s.path(run)}, workflow.Session{}, train.Options{Cache: cache}, s.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = l.Close() })
	return l
}

// logitsOf predicts images and returns the second logits.
func (s *setting) logitsOf(l *train.Learnt, images pipeline.Encoded) (logits []float32) {
	s.t.Helper()
	predictions, err := pipeline.Together(l.Predict(s.t.Context(), images, 32))
	if err != nil {
		s.t.Fatal(err)
	}
	for i, p := range predictions {
		if p.Sample != images.Sample(i) {
			s.t.Fatalf("prediction %d is of %v", i, p.Sample)
		}
		logits = append(logits, p.Logits[1])
	}
	return logits
}

func (s *setting) heatOf(l *train.Learnt, images pipeline.Encoded, classes []int) []float32 {
	s.t.Helper()
	heat, ok, err := l.HeatMaps(s.t.Context(), images, classes)
	if err != nil || !ok {
		s.t.Fatalf("explains %v, %v", ok, err)
	}
	return heat.Data
}

// batches is the number of full batches that have passed the frozen part.
func (s *setting) batches() int {
	images := 0
	for _, n := range s.Frozen {
		images += n
	}
	return images / features.BatchSize
}

// fitStage trains a run whose best epoch is of the given stage.
func (s *setting) fitStage(output, stage string) {
	s.t.Helper()
	r := s.request(output)
	if stage != "head" {
		r.Config.Training.Stages = []rundir.Stage{{Name: "head", Epochs: 1}, {Name: stage, Epochs: 2}}
		for i := range r.Config.Training.Stages {
			r.Config.Training.Stages[i].Rate = r.Config.Training.Rate
			r.Config.Training.Stages[i].LearningRate = 0.5
		}
	}
	if best := s.fit(r).Best.Stage; best != stage {
		s.t.Fatalf("the best epoch is of stage %s", best)
	}
}

func TestEachImageIsComputedOnce(t *testing.T) {
	images, index := numbers(600), []int{599, 3, 20}
	chosen, classes := pick{images, index}, []int{1, 0, 1}
	for _, stage := range []string{"head", "block2"} {
		s := newSetting(t)
		s.fitStage("run", stage)
		disk := train.Cache{Options: features.Options{Dir: s.path("cache")}}
		var want, heat []float32
		for i, tt := range []struct {
			name   string
			cache  train.Cache
			passes int // of the frozen part, to predict
			more   int // to explain
		}{
			{"an empty folder", disk, 19, 0},
			{"a full folder", disk, 0, map[string]int{"head": 1}[stage]}, // the maps are not kept
			{"no cache", train.Cache{Off: true}, 19, 0},
			{"memory", train.Cache{}, 19, 0},
			{"a folder with room for few", train.Cache{Options: features.Options{Dir: s.path("small"), MaxBytes: 500}}, 20, map[string]int{"block2": 1}[stage]},
		} {
			l, before := s.learn("run", tt.cache), s.batches()
			got := s.logitsOf(l, images)
			if passes := s.batches() - before; passes != tt.passes {
				t.Errorf("%s, %s: %d passes, want %d", stage, tt.name, passes, tt.passes)
			}
			before = s.batches()
			shown := s.heatOf(l, chosen, classes)
			if more := s.batches() - before; more != tt.more {
				t.Errorf("%s, %s: %d passes to explain, want %d", stage, tt.name, more, tt.more)
			}
			if i == 0 {
				want, heat = got, shown
			}
			if !slices.Equal(got, want) || !slices.Equal(shown, heat) {
				t.Errorf("%s, %s: other results", stage, tt.name)
			}
		}
	}
}

// Without a cache on disk images are predicted in pieces, but in the same batches.
func TestPiecesKeepTheBatches(t *testing.T) {
	s := newSetting(t)
	s.fit(s.request("run"))
	for _, cache := range []train.Cache{{Off: true}, {}, {Options: features.Options{Dir: s.path("cache")}}} {
		var sizes []int
		for batch, err := range s.learn("run", cache).Predict(t.Context(), numbers(650), 100) {
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(batch))
		}
		if want := []int{100, 100, 100, 100, 100, 100, 50}; !slices.Equal(sizes, want) {
			t.Errorf("%+v: batches of %v, want %v", cache, sizes, want)
		}
	}
}

// pick is the indexed images of others.
type pick struct {
	pipeline.Encoded
	index []int
}

func (p pick) Len() int                     { return len(p.index) }
func (p pick) Sample(i int) pipeline.Sample { return p.Encoded.Sample(p.index[i]) }
func (p pick) Bytes(i int) ([]byte, error)  { return p.Encoded.Bytes(p.index[i]) }

func TestAnExportThatCannotExplain(t *testing.T) {
	s := newSetting(t)
	s.Blind = true
	s.fit(s.request("run"))
	l := s.learn("run", train.Cache{})
	s.logitsOf(l, numbers(3))
	if _, ok, err := l.HeatMaps(t.Context(), numbers(1), []int{0}); ok || err != nil {
		t.Errorf("explains %v, %v", ok, err)
	}
}

func TestProgressOfPiecesEndsOnce(t *testing.T) {
	s := newSetting(t)
	s.fit(s.request("run"))
	env := s.Env()
	var ends, last int
	env.Show = func(e pipeline.Event, _ rundir.Timing) {
		if e.Done < last || e.Total != 600 {
			t.Errorf("%+v after %d", e, last)
		}
		if last = e.Done; e.Done == e.Total {
			ends++
		}
	}
	l, err := train.LearnModel(rundir.Dir{Path: s.path("run")}, workflow.Session{}, train.Options{}, env)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if s.logitsOf(l, numbers(600)); ends != 1 {
		t.Errorf("the pass ends %d times", ends)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsInTheWayOfLearning(t *testing.T) {
	for text, spoil := range map[string]func(s *setting){
		"no such file":      func(s *setting) { remove(t, s.path("model")) },
		"different weights": func(s *setting) { s.Weights = "others" },
		"not known to have": func(s *setting) { remove(t, s.path("run/checkpoints/best")) },
		"is damaged":        func(s *setting) { fake.Write(t, s.path("run/checkpoints/best/ckpt.data-00000-of-00001"), "{}") },
	} {
		s := newSetting(t)
		s.fit(s.request("run"))
		spoil(s)
		l, err := train.LearnModel(rundir.Dir{Path: s.path("run")}, workflow.Session{}, train.Options{}, s.Env())
		if l != nil || err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}
