package metrics_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// evaluated is a run with a validation loss and accuracy, and the same on the
// test part.
func evaluated(name, group string, loss, accuracy float64, gates ...metrics.Outcome) metrics.Run {
	return metrics.Run{
		Name: name, Group: group,
		Best:   &pipeline.Epoch{Stage: "head", Epoch: 1, Validation: []pipeline.Metric{{Name: "loss", Value: loss}, {Name: "accuracy", Value: accuracy}}},
		Report: &metrics.Report{Samples: 10, Values: metrics.Values{"accuracy": accuracy, "loss": loss}, Gates: gates},
	}
}

func order(r metrics.Ranking) string {
	var names []string
	for _, p := range r.Places {
		names = append(names, strconv.Itoa(p.Rank)+" "+p.Name)
	}
	return strings.Join(names, ", ")
}

func TestRankByValidation(t *testing.T) {
	runs := []metrics.Run{
		{Name: "failed", Group: "failed"},
		evaluated("b", "b", 0.5, 0.9), evaluated("nan", "nan", math.NaN(), 1),
		evaluated("a", "a", 0.2, 0.1), evaluated("c", "c", 0.5, 0.2),
	}
	for by, want := range map[string]string{
		"val_loss":     "1 a, 2 b, 3 c, 0 failed, 0 nan",
		"val_accuracy": "1 nan, 2 b, 3 c, 4 a, 0 failed",
		"val_f1":       "0 failed, 0 b, 0 nan, 0 a, 0 c",
		"val_kappa":    "0 failed, 0 b, 0 nan, 0 a, 0 c",
	} {
		r := metrics.Rank(runs, by)
		if got := order(r); got != want {
			t.Errorf("%s: %s, want %s", by, got, want)
		}
		wantLack, wantTest := "", "accuracy f1 loss"
		switch by {
		case "val_f1":
			wantLack = "b nan a c" // the failed run has no epoch
		case "val_kappa":
			wantLack, wantTest = "b nan a c", "accuracy f1 loss kappa"
		}
		if got := strings.Join(r.Lack, " "); got != wantLack {
			t.Errorf("%s: %q lack it, want %q", by, got, wantLack)
		}
		if got := strings.Join(r.Test, " "); got != wantTest || len(r.Places[0].Test) != len(r.Test) {
			t.Errorf("%s: shows %q of the test part, want %q", by, got, wantTest)
		}
		best := map[string]int{"val_loss": 3, "val_accuracy": 2, "val_f1": -1, "val_kappa": -1}[by]
		if got := r.Best(runs); got != best {
			t.Errorf("%s: the best is %d, want %d", by, got, best)
		}
	}
	if got := metrics.Rank(nil, "val_loss").Best(nil); got != -1 {
		t.Errorf("the best of no runs is %d", got)
	}
}

// The folds of a run share a place with their mean, or none if one is missing.
func TestFoldsShareAPlace(t *testing.T) {
	missed := metrics.Outcome{Gate: metrics.Gate{Name: "accuracy", Bound: 1}}
	runs := []metrics.Run{
		evaluated("x/fold-0", "x", 1, 0.8), evaluated("y/fold-0", "y", 1, 1), evaluated("x/fold-1", "x", 3, 0.9, missed), {Name: "y/fold-1", Group: "y"},
	}
	r := metrics.Rank(runs, "val_accuracy")
	if got := order(r); got != "1 x, 0 y" || r.Best(runs) != -1 {
		t.Fatalf("order %s, best %d", got, r.Best(runs))
	}
	x := r.Places[0]
	if math.Abs(x.Test[0].Value-0.85) > 1e-12 || x.Test[0].Method != "student" || x.Test[2].Value != 2 || x.Folds != 2 || x.Gates != 1 || x.Missed != 1 {
		t.Errorf("%+v", x)
	}
	if y := r.Places[1]; !math.IsNaN(y.Test[0].Value) {
		t.Errorf("%+v", y)
	}
}

// seeded is a run of a group with several seeds.
func seeded(run metrics.Run, seed string) metrics.Run {
	run.Seed = seed
	return run
}

// The seeds of a setting share a place with their mean and standard deviation, over
// the means of their folds. The best run is the best seed of the best place.
func TestSeedsShareAPlace(t *testing.T) {
	runs := []metrics.Run{
		seeded(evaluated("x/seed=1", "x", 1, 0.8), "1"), evaluated("y", "y", 2, 0.9),
		seeded(evaluated("x/seed=2", "x", 3, 1), "2"), seeded(evaluated("z/seed=1", "z", 0, 1), "1"), seeded(metrics.Run{Name: "z/seed=2", Group: "z"}, "2"),
	}
	r := metrics.Rank(runs, "val_loss")
	if got := order(r); got != "1 x, 2 y, 0 z" || r.Best(runs) != 0 {
		t.Fatalf("order %s, best %d", got, r.Best(runs))
	}
	x := r.Places[0]
	if x.Seeds != 2 || x.Folds != 0 || x.Validation.Value != 2 || x.Validation.Method != "deviation" || math.Abs(x.Validation.Upper-2-math.Sqrt2) > 1e-12 {
		t.Errorf("%+v", x)
	}
	r = metrics.Rank([]metrics.Run{
		seeded(evaluated("seed=1/fold-0", "", 1, 0), "1"), seeded(evaluated("seed=1/fold-1", "", 2, 0), "1"),
		seeded(evaluated("seed=2/fold-0", "", 3, 0), "2"), seeded(evaluated("seed=2/fold-1", "", 4, 0), "2"),
	}, "val_loss")
	if p := r.Places[0]; p.Seeds != 2 || p.Folds != 2 || p.Validation.Value != 2.5 || math.Abs(p.Validation.Upper-2.5-math.Sqrt2) > 1e-12 {
		t.Errorf("%+v", p)
	}
}

func TestNoWorse(t *testing.T) {
	for name, test := range map[string]struct {
		metric       string
		lower, upper float64
		margin       float64
		passed       bool
		want         string
	}{
		"better":            {"accuracy", 0.01, 0.03, 0, true, "accuracy changed by +0.0200 (+0.010 to +0.030): no worse by more than 0"},
		"slightly worse":    {"accuracy", -0.01, 0.05, 0.01, true, "accuracy changed by +0.0200 (-0.010 to +0.050): no worse by more than 0.01"},
		"worse":             {"accuracy", -0.011, 0.051, 0.01, false, "accuracy changed by +0.0200 (-0.011 to +0.051): it may be worse by 0.0110, more than 0.01"},
		"no interval":       {"accuracy", math.NaN(), math.NaN(), 1, false, "accuracy changed by –, which has no interval on these images"},
		"higher loss":       {"loss", 0.1, 0.3, 0.2, false, "loss changed by +0.2000 (+0.100 to +0.300): it may be worse by 0.3000, more than 0.2"},
		"lower loss":        {"loss", -0.4, -0.2, 0, true, "loss changed by -0.3000 (-0.400 to -0.200): no worse by more than 0"},
		"perhaps no change": {"loss", -0.2, 0.2, 0.2, true, "loss changed by 0.0000 (-0.200 to +0.200): no worse by more than 0.2"},
	} {
		c := metrics.Comparison{Differences: []metrics.Difference{{Name: test.metric, Difference: (test.lower + test.upper) / 2, Lower: test.lower, Upper: test.upper}}}
		v, err := metrics.NoWorse{Metric: test.metric, Margin: test.margin}.Check(c)
		if err != nil || v.Passed != test.passed || v.String() != test.want {
			t.Errorf("%s: passed %v, %v: %s, want %s", name, v.Passed, err, v, test.want)
		}
	}
	if _, err := (metrics.NoWorse{Metric: "acuracy"}).Check(metrics.Comparison{}); pipeline.KindOf(err) != pipeline.BadUsage || pipeline.OptionOf(err) != "metric" {
		t.Errorf("an unknown metric: %v", err)
	}
}
