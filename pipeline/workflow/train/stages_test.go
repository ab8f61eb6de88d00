package train_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/train"
)

func TestInterruptedAutoRunIsResumedToTheSameFiles(t *testing.T) {
	s := newSetting(t)
	request := s.request("whole")
	request.Config.Training.StagesAuto = true
	request.Config.Training.Rate.WarmupEpochs = train.DefaultWarmup
	result := s.fit(request)
	if _, ok := result.History[len(result.History)-1].Value("val_gain"); !ok || len(result.Depth) < 2 {
		t.Fatalf("the stages are %+v", result.Depth)
	}
	for at := 9; at < 9*len(result.Depth); at += 2 {
		request.Output = s.path("stopped")
		s.interrupted(request, at)
		if u, ok := (rundir.Dir{Path: s.path("stopped")}).Unfinished(); !ok || at > 9 && u.Stage == train.HeadStage {
			t.Errorf("interrupted at step %d: %v, %t", at, u, ok)
		}
		s.resume("stopped", train.Moved{})
		if u, ok := (rundir.Dir{Path: s.path("stopped")}).Unfinished(); ok {
			t.Errorf("finished: %v", u)
		}
		s.same("whole", "stopped", repeated...)
		if err := os.RemoveAll(s.path("stopped")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStagesBelowTheHead(t *testing.T) {
	s := newSetting(t)
	run := rundir.Rate{Schedule: "constant", DecayRate: 0.1, DecayEpochs: 5, WarmupEpochs: train.DefaultWarmup}
	for _, test := range []struct {
		specs  string
		warmup int
		want   string // name, epochs, rate and warm-up of each stage
	}{
		{"", train.DefaultWarmup, "head 3 0.2 0"},
		{"head block2", train.DefaultWarmup, "head 3 0.2 0, block2 3 1e-05 1"},
		{"head block2:lr=0.1,warmup-epochs=0", train.DefaultWarmup, "head 3 0.2 0, block2 3 0.1 0"},
		{"head:lr=0.3,warmup-epochs=1 block2", train.DefaultWarmup, "head 3 0.3 1, block2 3 1e-05 1"},
		{"head block2:warmup-epochs=1", 2, "head 3 0.2 2, block2 3 1e-05 1"},
		{"head block2", 0, "head 3 0.2 0, block2 3 1e-05 0"},
		{"auto", train.DefaultWarmup, "head 3 0.2 0, block2 3 1e-05 1, block1 3 1e-05 1"},
		{"auto:epochs=5,lr=0.1", 2, "head 3 0.2 2, block2 5 0.1 2, block1 5 0.1 2"},
		{"auto:warmup-epochs=0", train.DefaultWarmup, "head 3 0.2 0, block2 3 1e-05 0, block1 3 1e-05 0"},
	} {
		request := s.request("run")
		training := &request.Config.Training
		training.LearningRate, training.Rate = 0.2, run
		training.Rate.WarmupEpochs = test.warmup
		var err error
		if training.Stages, training.StagesAuto, err = train.ParseStages(strings.Fields(test.specs), training.Rate); err != nil {
			t.Fatal(err)
		}
		p, err := train.Prepare(t.Context(), request, s.Env())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, stage := range p.Config.Training.Stages {
			got = append(got, fmt.Sprint(stage.Name, " ", stage.Epochs, " ", stage.LearningRate, " ", stage.WarmupEpochs))
		}
		if got := strings.Join(got, ", "); got != test.want || p.Config.Training.Rate.WarmupEpochs != max(test.warmup, 0) {
			t.Errorf("%q, warm-up %d: got %s, want %s", test.specs, test.warmup, got, test.want)
		}
	}
}
