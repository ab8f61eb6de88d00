package batch_test

import (
	"testing"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/contents"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/batch"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/internal/fake"
	"tftl/pipeline/workflow/train"
)

// Runs read each image once between them, for training, measuring and the pictures of
// one, and only for the pictures if an earlier command has read it.
func TestEachImageIsReadOnceForAllRuns(t *testing.T) {
	const all = 16
	for name, change := range map[string]func(*train.Request){
		"plain":      func(*train.Request) {},
		"skip":       func(r *train.Request) { r.Config.Data.OnBadImage = train.SkipBadImages },
		"two stages": func(r *train.Request) { r.Config.Training.Stages = stages(r, "head", "block2") },
		"block2":     func(r *train.Request) { r.Config.Training.Stages = stages(r, "block2") },
		"tuned": func(r *train.Request) {
			r.Config.Training.Tune = &rundir.Tune{Settings: 4, Search: []pipeline.Option{"lr"}}
		},
	} {
		for _, jobs := range []int{1, 3} {
			t.Run(name, func(t *testing.T) {
				s := newSweep(t, jobs)
				if name == "skip" {
					fake.Write(t, s.path("photos/test/cat/1.jpg"), "bad")
				}
				opens := fake.Opens(t, s.path("photos"))
				do := func(output string, verify bool) map[string]int {
					t.Helper()
					s.batch.Output = s.path(output)
					for i := range s.batch.Runs {
						r := &s.batch.Runs[i]
						r.Train.Output, r.Train.Cache.Dir = s.path(output+"/"+r.Name), s.path("cache")
						change(&r.Train)
						r.Evaluate.Model, r.Evaluate.OnBadImage = r.Train.Output, r.Train.Config.Data.OnBadImage
					}
					env := s.Env()
					now := func() time.Time { return time.Now().Add(time.Minute) }
					env.Contents = contents.Open(contents.Options{Dir: s.path("cache"), Distrust: verify, Now: now})
					b, err := batch.Plan(t.Context(), s.batch, env)
					if err != nil {
						t.Fatal(err)
					}
					defer b.Close()
					if err := b.Do(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := b.Verdict(t.Context()); err != nil {
						t.Fatal(err)
					}
					result, err := evaluate.Stored(t.Context(), s.batch.Runs[0].Evaluate, b.Env())
					if err != nil {
						t.Fatal(err)
					}
					if err := result.Illustrate(t.Context(), fake.Painter{}); err != nil {
						t.Fatal(err)
					}
					return opens()
				}
				wantOnce(t, "cold", do("cold", false), all)
				if warm := do("warm", false); len(warm) > 4 {
					t.Errorf("warm: %v", warm)
				} else {
					wantOnce(t, "warm", warm, len(warm))
				}
				wantOnce(t, "verified", do("verified", true), all)
			})
		}
	}
}

func stages(r *train.Request, names ...string) (all []rundir.Stage) {
	for _, name := range names {
		all = append(all, rundir.Stage{Name: name, Epochs: 2, Rate: r.Config.Training.Rate})
	}
	return all
}

// wantOnce compares how often images were opened.
func wantOnce(t *testing.T, what string, opened map[string]int, images int) {
	t.Helper()
	for path, n := range opened {
		if n != 1 {
			t.Errorf("%s: %s was opened %d times", what, path, n)
		}
	}
	if len(opened) != images {
		t.Errorf("%s: %d images were opened, want %d", what, len(opened), images)
	}
}
