package metrics_test

import (
	"math"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

func TestCurvesAgreeWithScikitLearn(t *testing.T) {
	drawn := 0
	for _, c := range references(t) {
		predictions := c.table().Predictions
		for class, want := range c.Curves {
			drawn++
			roc := metrics.NewCurves(predictions).ROC(class)
			sameLine(t, c.Name+" false positive rate", roc.X, want.FPR)
			sameLine(t, c.Name+" true positive rate", roc.Y, want.TPR)
			pr := metrics.NewCurves(predictions).PrecisionRecall(class)
			sameLine(t, c.Name+" recall", pr.X, want.Recall)
			sameLine(t, c.Name+" precision", pr.Y, want.Precision)
			for name, got := range map[string]float64{"roc_auc": roc.Area, "average_precision": pr.Area} {
				wanted := math.NaN()
				if v := c.Classes[name][class]; v != nil {
					wanted = *v
				}
				if !same(got, wanted) {
					t.Errorf("%s, class %d: %s is %v, want %v", c.Name, class, name, got, wanted)
				}
			}
		}
	}
	if drawn < 30 {
		t.Fatalf("%d reference curves, want at least 30", drawn)
	}
}

func sameLine(t *testing.T, name string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %v, want %v", name, got, want)
		return
	}
	for i := range want {
		if !near(got[i], want[i]) {
			t.Errorf("%s: got %v, want %v", name, got, want)
			return
		}
	}
}

// float32 has little precision near 1, so the first of two classes is ranked by
// the second's probability.
func TestTwoClassesHaveOneROC(t *testing.T) {
	predictions := []pipeline.Prediction{predict(0, 1, 1e-12), predict(1, 1, 1e-10), predict(0, 1, 1e-11), predict(1, 1, 1e-9)}
	for class := range 2 {
		if area := metrics.NewCurves(predictions).ROC(class).Area; area != 1 {
			t.Errorf("class %d: the area is %v, want 1", class, area)
		}
	}
}

func TestNoCurveOfWhatIsNotANumber(t *testing.T) {
	nan := float32(math.NaN())
	predictions := []pipeline.Prediction{predict(0, 0.5, 0.25, 0.25), predict(1, nan, 0.5, 0.5)}
	if c := metrics.NewCurves(predictions).ROC(0); !math.IsNaN(c.Area) || c.X != nil {
		t.Errorf("got %v", c)
	}
	if c := metrics.NewCurves(predictions).PrecisionRecall(0); !math.IsNaN(c.Area) || c.X != nil {
		t.Errorf("got %v", c)
	}
}
