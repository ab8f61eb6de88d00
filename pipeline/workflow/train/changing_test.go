package train_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/internal/fake"
	"tftl/pipeline/workflow/train"
)

// changesAt changes an image of the training part before a step.
func (s *setting) changesAt(step int) {
	from := s.Steps
	s.OnStep = func(now int) error {
		if now == from+step {
			fake.Write(s.t, s.path("photos/train/cat/2.jpg"), "12345")
		}
		return nil
	}
}

func wantChanged(t *testing.T, err error) {
	t.Helper()
	if pipeline.KindOf(err) != pipeline.BadData || !strings.Contains(err.Error(), "train/cat/2.jpg") || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("got %v, of kind %d", err, pipeline.KindOf(err))
	}
}

// A run without a cache reads each image in every epoch, and must not train on others
// than it began with: whatever makes it read them.
func TestImagesThatChangeDuringTraining(t *testing.T) {
	for name, change := range map[string]func(*train.Request){
		"plain":    func(*train.Request) {},
		"balanced": func(r *train.Request) { r.Config.Training.Sampler = train.BalancedSampler },
		"skipping": func(r *train.Request) { r.Config.Data.OnBadImage = train.SkipBadImages },
		"mixed":    func(r *train.Request) { r.Config.Training.CutMix = 0.5 },
		"stages":   func(r *train.Request) { r.Config.Training.Stages = twoStages(r.Config.Training.Rate) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t)
			r := s.request("run")
			r.Cache.Off = true
			change(&r)
			s.changesAt(4)
			wantChanged(t, s.try(r, s.Env()))
		})
	}
}

// A run of an older version did not record what its images were. When it is resumed,
// they must stay what they are from then on.
func TestImagesThatChangeDuringAnOlderRun(t *testing.T) {
	s := newSetting(t)
	r := s.request("run")
	r.Cache.Off = true
	r.Config.Training.Stages = twoStages(r.Config.Training.Rate)
	run, err := train.New(s.cancelledAt(1), r, s.Env())
	if err != nil {
		t.Fatal(err)
	}
	ctx := s.cancelledAt(1)
	if _, err := run.Fit(ctx); err == nil {
		t.Fatal("it was not interrupted")
	}
	run.Close()
	s.older("run")
	remove(t, s.path("run/contents.csv"))
	s.changesAt(5) // the last step of the first stage, for which all images have been read
	again, err := train.Resume(t.Context(), s.path("run"), train.Moved{}, workflow.Session{}, train.Options{Cache: train.Cache{Off: true}}, s.Env())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	_, err = again.Fit(t.Context())
	wantChanged(t, err)
}

// older removes the seals of a run, as if an older version had made it.
func (s *setting) older(run string) {
	s.t.Helper()
	d := rundir.Dir{Path: s.path(run)}
	config, err := d.ReadConfig()
	if err != nil {
		s.t.Fatal(err)
	}
	config.Sealed = false
	text, err := json.Marshal(config)
	if err != nil {
		s.t.Fatal(err)
	}
	fake.Write(s.t, d.File("config.json"), string(text))
	if err := os.Remove(d.File("run.sha256")); err != nil {
		s.t.Fatal(err)
	}
}
