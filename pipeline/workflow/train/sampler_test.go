package train_test

import (
	"os"
	"testing"

	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/train"
)

func TestBalancedAndMixedRunIsResumedToTheSameFiles(t *testing.T) {
	s := newSetting(t)
	for _, name := range []string{"0", "1", "2"} {
		if err := os.Remove(s.path("photos/train/cat/" + name + ".jpg")); err != nil {
			t.Fatal(err)
		}
	}
	request := s.request("whole")
	request.Config.Training.Sampler, request.Config.Training.MixUp = train.BalancedSampler, 0.5
	request.Config.Training.BatchSize = 2
	// Five images, so three draws of each of two classes: three steps per epoch.
	request.Config.Training.Stages = []rundir.Stage{{Name: "head", Epochs: 3, Rate: rundir.Rate{Schedule: "step", DecayRate: 0.5, DecayEpochs: 1}}}
	result := s.fit(request)
	for i, epoch := range result.History {
		if want := 0.5 / float64(int(1)<<i); epoch.Step != 3*(i+1) || epoch.LearningRate != want {
			t.Errorf("epoch %d ends at step %d with rate %g, want %g", i+1, epoch.Step, epoch.LearningRate, want)
		}
	}
	for at := 1; at < 9; at++ {
		s.resumedAt(request, at)
	}
}
