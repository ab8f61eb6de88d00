package pipeline

import (
	"context"
	"slices"
	"testing"
)

// constants is a Source of n samples with two activations, from Values by class.
type constants struct {
	n      int
	values [2][]float32
}

func (s constants) Len() int            { return s.n }
func (s constants) Sample(i int) Sample { return numbers{}.Sample(i) }

func (s constants) Batch(_ context.Context, _ int, index []int) (Batch, error) {
	b := Batch{Shape: []int64{int64(len(index)), int64(len(s.values[0]))}}
	for _, i := range index {
		b.Samples = append(b.Samples, s.Sample(i))
		b.Data = append(b.Data, s.values[i%2]...)
	}
	return b, nil
}

func TestFeatureScaleIsTheStandardDeviation(t *testing.T) {
	for _, test := range []struct {
		values [2][]float32
		want   float64
	}{
		{[2][]float32{{-2}, {2}}, 2},
		{[2][]float32{{98}, {102}}, 2}, // around their mean
		{[2][]float32{{-2.6}, {2.6}}, 2},
		{[2][]float32{{-3}, {3}}, 4}, // to the nearest power of two on a logarithmic scale
		{[2][]float32{{0, 0}, {0.25, 0.25}}, 0.125},
		{[2][]float32{{0, 100}, {0, 100}}, 64}, // of all inputs together
		{[2][]float32{{7}, {7}}, 1},
	} {
		job, n, _ := jobWithScale(0)
		open, err := n.Open(t.Context(), "head")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := job.Plan.Scale(t.Context(), open, constants{6, test.values}); err != nil || got != test.want {
			t.Errorf("%v: scale %v, %v, want %v", test.values, got, err, test.want)
		}
	}
}

func TestFitMeasuresTheFeatureScale(t *testing.T) {
	job, n, r := job(1)
	job.Plan.FeatureScale = 0
	if _, err := Fit(t.Context(), job); err != nil { // on samples 0 to 4
		t.Fatal(err)
	}
	if got := r.states[Last].FeatureScale; got != 2 || !slices.Contains(n.calls, "init 2 [7] 11 2") || !slices.Contains(n.calls, "head inputs") {
		t.Errorf("scale %v, calls %v", got, n.calls)
	}
	job, n, r = jobWithScale(4)
	if _, err := Fit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if got := r.states[Last].FeatureScale; got != 4 || !slices.Contains(n.calls, "init 2 [7] 11 4") || slices.Contains(n.calls, "head inputs") {
		t.Errorf("given: scale %v, calls %v", got, n.calls)
	}
}

// jobWithScale is a job with a given scale.
func jobWithScale(scale float64) (Job, *network, *recorder) {
	job, n, r := job(1)
	job.Plan.FeatureScale = scale
	return job, n, r
}

func TestFeatureScaleLooksAtSomeImagesOfALargeSet(t *testing.T) {
	job, n, _ := jobWithScale(0)
	seen := map[int]int{}
	source := numbers{n: 10 * scaleImages, before: func(_ context.Context, _ int, index []int) error {
		for _, i := range index {
			seen[i]++
		}
		return nil
	}}
	open, err := n.Open(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	scale, err := job.Plan.Scale(t.Context(), open, source)
	if err != nil || len(seen) != scaleImages || scale != 4096 { // 10240/sqrt(12) = 2956
		t.Errorf("scale %v from %d images, %v", scale, len(seen), err)
	}
}

func TestAnEarlierHeadKeepsItsFeatureScale(t *testing.T) {
	job, n, r := job(1)
	n.files["earlier"] = memory{weight: 5}
	job.Plan.InitFrom, job.Plan.FeatureScale = "earlier", 0
	if _, err := Fit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(n.calls, "head inputs") || r.states[Last].FeatureScale != 0 {
		t.Errorf("calls %v, state %+v", n.calls, r.states[Last])
	}
}
