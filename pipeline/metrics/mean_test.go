package metrics

import (
	"math"
	"testing"
)

// scipy.stats.t.ppf(0.975, n)
func TestStudentIsSciPys(t *testing.T) {
	for n, want := range map[int]float64{
		1: 12.706204736432095, 2: 4.302652729911275, 4: 2.7764451051977934, 9: 2.2621571628540993, 10: 2.2281388519649385,
		11: 2.200985160082949, 19: 2.093024054408263, 30: 2.0422724563012373, 100: 1.983971518449633, 1000: 1.9623390808264078,
	} {
		if got := student(n); math.Abs(got-want) > 2e-4 {
			t.Errorf("%d degrees of freedom: %v, want %v", n, got, want)
		}
	}
}

func TestMeanOver(t *testing.T) {
	// scipy.stats.t.interval(0.95, 4, numpy.mean(x), scipy.stats.sem(x))
	f := MeanOver("accuracy", []float64{0.9, 0.95, 0.85, 1, 0.8})
	if math.Abs(f.Value-0.9) > 1e-12 || math.Abs(f.Lower-0.8018378) > 1e-4 || math.Abs(f.Upper-0.9981622) > 1e-4 || f.Method != "student" {
		t.Errorf("%+v", f)
	}
	for _, values := range [][]float64{nil, {0.5}, {0.5, math.NaN()}} {
		f := MeanOver("f1", values)
		if !math.IsNaN(f.Lower) || !math.IsNaN(f.Upper) || (len(values) == 1) == math.IsNaN(f.Value) {
			t.Errorf("%v: %+v", values, f)
		}
	}
}

// A loss has no upper bound, nor has a validation loss.
func TestMeanOfALossIsNotCutOff(t *testing.T) {
	if f := MeanOver("val_loss", []float64{1, 1.1, 1.2}); !(f.Upper > f.Value) || !(f.Lower < f.Value) {
		t.Errorf("%v lies outside %v to %v", f.Value, f.Lower, f.Upper)
	}
}
