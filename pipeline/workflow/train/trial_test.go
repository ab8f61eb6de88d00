package train

import (
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
)

// Each image of the training and the validation part is held out once, and none of
// the test part is used.
func TestFoldsHoldOutEachImageOnce(t *testing.T) {
	in := augmented(t, 0, 1, Cache{})
	p := &Prepared{Set: in.set, Config: rundir.Config{Seed: 3}}
	p.Config.Training.Tune = &rundir.Tune{Folds: 3}
	splits, err := p.folds(in, &counting{})
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]int{}
	for f, s := range splits {
		seen, classes := map[string]bool{}, map[int]bool{}
		for _, source := range []pipeline.Source{s.train, s.validation} {
			for i := range source.Len() {
				seen[source.Sample(i).ID] = true
			}
		}
		for i := range s.validation.Len() {
			held[s.validation.Sample(i).ID]++
			classes[s.validation.Sample(i).Label] = true
		}
		if len(seen) != 12 || s.train.Len()+s.validation.Len() != 12 || len(classes) != 2 {
			t.Errorf("split %d has %d images, %d classes held out", f, len(seen), len(classes))
		}
	}
	for _, part := range []dataset.Part{in.set.Train, in.set.Validation} {
		for i := range part.Len() {
			if id := part.Sample(i).ID; held[id] != 1 {
				t.Errorf("%s is held out %d times", id, held[id])
			}
		}
	}
	if len(held) != 12 {
		t.Errorf("%d images are held out", len(held))
	}
	for i := range splits[0].train.Len() {
		batch, err := splits[0].train.Batch(t.Context(), 1, []int{i})
		if err != nil || batch.Samples[0] != splits[0].train.Sample(i) {
			t.Errorf("image %d: %+v, %v", i, batch, err)
		}
	}
}

// The best of many settings is partly luck, so a gain that may be chance leaves the
// default.
func TestTheDefaultStaysUnlessTheGainIsMoreThanNoise(t *testing.T) {
	standard := []float64{-1, -2, -3, -4}
	for name, test := range map[string]struct {
		best int
		with []float64
		want bool
	}{
		"all images gain alike":       {3, []float64{-0.5, -1.5, -2.4, -3.5}, true},
		"one image gains, others not": {3, []float64{-1, -2, -3, -1}, false},
		"a loss":                      {3, []float64{-2, -3, -4, -5}, false},
		"the default itself":          {0, standard, true},
		"a metric without terms":      {3, nil, true},
	} {
		tuner := &tuner{Prepared: &Prepared{}, terms: map[int][]float64{0: standard, test.best: test.with}}
		if got := tuner.surpassesDefault(test.best); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
