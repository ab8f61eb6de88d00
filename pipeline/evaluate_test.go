package pipeline

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

func TestEvaluatePredictsEverySampleInOrder(t *testing.T) {
	p := &shifted{}
	var done []int
	predictions, err := Together(Evaluate(t.Context(), numbers{n: 7}, p, 3, func(e Event) {
		if e.Phase != "evaluate" || e.Total != 7 {
			t.Errorf("event %+v", e)
		}
		done = append(done, e.Done)
	}))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range predictions {
		if got.Sample != (numbers{}).Sample(i) || got.Logits[0] != float32(i) {
			t.Errorf("prediction %d is %+v", i, got)
		}
	}
	if want := []int{3, 3, 1}; len(predictions) != 7 || !slices.Equal(p.sizes, want) {
		t.Errorf("%d predictions, batches of %v, want %v", len(predictions), p.sizes, want)
	}
	if want := []int{3, 6, 7}; !slices.Equal(done, want) {
		t.Errorf("progress %v, want %v", done, want)
	}
}

func TestEvaluateFails(t *testing.T) {
	broken := errors.New("broken")
	source := numbers{n: 4, before: func(context.Context, int, []int) error { return broken }}
	if _, err := Together(Evaluate(t.Context(), source, &shifted{}, 2, nil)); !errors.Is(err, broken) {
		t.Errorf("a source that fails: %v", err)
	}
	if _, err := Together(Evaluate(t.Context(), numbers{n: 4}, &shifted{err: broken}, 2, nil)); !errors.Is(err, broken) {
		t.Errorf("a predictor that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := func(Event) { cancel() }
	if _, err := Together(Evaluate(ctx, numbers{n: 100}, &shifted{}, 2, stop)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSoftmax(t *testing.T) {
	infinity := float32(math.Inf(1))
	for _, test := range []struct{ logits, want []float32 }{
		{[]float32{0, 0}, []float32{0.5, 0.5}},
		{[]float32{0, float32(math.Log(3))}, []float32{0.25, 0.75}},
		{[]float32{1, 2, 3}, []float32{0.09003057, 0.24472847, 0.66524096}}, // scipy.special.softmax
		{[]float32{1e30, 0, -1e30}, []float32{1, 0, 0}},
		{[]float32{-1e30, -1e30}, []float32{0.5, 0.5}},
		{[]float32{-infinity, 0}, []float32{0, 1}},
	} {
		got := Softmax(test.logits)
		for i := range got {
			if !(math.Abs(float64(got[i]-test.want[i])) < 1e-7) {
				t.Errorf("Softmax(%v) = %v, want %v", test.logits, got, test.want)
				break
			}
		}
	}
}
