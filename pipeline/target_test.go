package pipeline

import (
	"context"
	"math"
	"slices"
	"testing"
)

func TestTargetsAreSmoothedAndWeighted(t *testing.T) {
	samples := []Sample{{Label: 2, Weight: 1}, {Label: 0, Weight: 0.5}}
	mixed := []Mixed{{samples[1], 0.75}, {samples[0], 0.5}}
	for _, c := range []struct {
		name             string
		plan             Plan
		mixed            []Mixed
		targets, weights []float32
	}{
		{"plain", Plan{Classes: 3}, nil, []float32{0, 0, 1, 1, 0, 0}, []float32{1, 0.5}},
		// keras.losses.CategoricalCrossentropy: y_true * (1 - 0.3) + 0.3 / 3
		{"smoothed", Plan{Classes: 3, LabelSmoothing: 0.3}, nil, []float32{0.1, 0.1, 0.8, 0.8, 0.1, 0.1}, []float32{1, 0.5}},
		{"weighted", Plan{Classes: 3, ClassWeights: []float64{3, 5, 7}}, nil, []float32{0, 0, 1, 1, 0, 0}, []float32{7, 1.5}},
		// 0.75 of a loss of weight 1 and 0.25 of one of weight 0.5, and halves of both
		{"mixed", Plan{Classes: 3}, mixed, []float32{1. / 7, 0, 6. / 7, 1. / 3, 0, 2. / 3}, []float32{0.875, 0.75}},
		{
			"mixed, smoothed and weighted",
			Plan{Classes: 3, LabelSmoothing: 0.3, ClassWeights: []float64{2, 5, 1}},
			mixed,
			[]float32{0.275, 0.1, 0.625, 0.45, 0.1, 0.45},
			[]float32{1, 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := Batch{Samples: samples, Mixed: c.mixed}
			b.target(c.plan)
			for i, want := range c.targets {
				if math.Abs(float64(b.Targets[i]-want)) > 1e-7 {
					t.Fatalf("targets %v, want %v", b.Targets, c.targets)
				}
			}
			for i, want := range c.weights {
				if b.Weights[i] != want {
					t.Fatalf("weights %v, want %v", b.Weights, c.weights)
				}
			}
		})
	}
}

// The training accuracy counts as Keras' does: the largest target is right.
func TestHitsOfMixedSamples(t *testing.T) {
	targets := []float32{0.7, 0.3, 0.2, 0.8, 1, 0}
	if got := hits(targets, []float32{1, 0, 5, 4, 2, 1}, 2); got != 2 {
		t.Errorf("%d hits, want 2", got)
	}
}

// How a source mixed its samples reaches the step as targets.
func TestFitTrainsOnMixedTargets(t *testing.T) {
	job, n, _ := job(1)
	job.Inputs = func(context.Context, string, Stage) (train, validation Source, err error) {
		return halves{numbers{n: 5}}, numbers{n: 4}, nil
	}
	if _, err := Fit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	for _, step := range n.steps {
		for i, s := range step.batch.Samples {
			partner := step.batch.Samples[(i+1)%len(step.batch.Samples)]
			want := []float32{0, 0}
			want[s.Label] += 0.5
			want[partner.Label] += 0.5
			if got := step.batch.Targets[2*i : 2*i+2]; !slices.Equal(got, want) {
				t.Errorf("samples %v: targets %v, want %v", step.index, got, want)
			}
		}
	}
}

// halves is a source that says that each sample is half of the next one.
type halves struct{ numbers }

func (s halves) Batch(ctx context.Context, epoch int, index []int) (Batch, error) {
	b, err := s.numbers.Batch(ctx, epoch, index)
	for i := range b.Samples {
		b.Mixed = append(b.Mixed, Mixed{b.Samples[(i+1)%len(b.Samples)], 0.5})
	}
	return b, err
}
