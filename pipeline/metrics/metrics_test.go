package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// reference is one case of testdata/sklearn.json, which sklearn.py writes.
type reference struct {
	Name          string         `json:"name"`
	Labels        []int          `json:"labels"`
	Probabilities [][]float32    `json:"probabilities"`
	Logits        [][]float32    `json:"logits"`
	Want          metrics.Report `json:"want"`
}

func (r reference) predictions() []pipeline.Prediction {
	var all []pipeline.Prediction
	for i, label := range r.Labels {
		p := predict(label, r.Probabilities[i]...)
		if r.Logits != nil {
			p.Logits = r.Logits[i]
		}
		all = append(all, p)
	}
	return all
}

func references(t *testing.T) []reference {
	t.Helper()
	data, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []reference
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 60 {
		t.Fatalf("%d reference cases, want at least 60", len(all))
	}
	return all
}

func predict(label int, probabilities ...float32) pipeline.Prediction {
	return pipeline.Prediction{
		Sample:        pipeline.Sample{ID: fmt.Sprintf("of class %d.jpg", label), Label: label, Weight: 1},
		Probabilities: probabilities,
	}
}

// tolerance is for sums taken in another order. It serves the loss too:
// Keras and scikit-learn were given the same float32 rows as float64.
const tolerance = 1e-12

func near(got, want float64) bool { return math.Abs(got-want) <= tolerance*max(1, math.Abs(want)) }

func TestEvaluateAgreesWithScikitLearn(t *testing.T) {
	for _, r := range references(t) {
		t.Run(r.Name, func(t *testing.T) {
			var classes []string
			for _, c := range r.Want.Classes {
				classes = append(classes, c.Name)
			}
			got, err := metrics.Evaluate(metrics.Table{Classes: classes, Predictions: r.predictions()}, metrics.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Samples != r.Want.Samples {
				t.Errorf("samples: got %d, want %d", got.Samples, r.Want.Samples)
			}
			if !reflect.DeepEqual(got.ConfusionMatrix, r.Want.ConfusionMatrix) {
				t.Errorf("confusion matrix: got %v, want %v", got.ConfusionMatrix, r.Want.ConfusionMatrix)
			}
			figure := func(name string, got, want float64) {
				t.Helper()
				if !near(got, want) {
					t.Errorf("%s: got %.17g, want %.17g", name, got, want)
				}
			}
			scores := func(name string, got, want metrics.Scores) {
				t.Helper()
				figure(name+" precision", got.Precision, want.Precision)
				figure(name+" recall", got.Recall, want.Recall)
				figure(name+" f1", got.F1, want.F1)
			}
			figure("loss", got.Loss, r.Want.Loss)
			figure("accuracy", got.Accuracy, r.Want.Accuracy)
			figure("balanced accuracy", got.BalancedAccuracy, r.Want.BalancedAccuracy)
			scores("macro", got.Macro, r.Want.Macro)
			scores("weighted", got.Weighted, r.Want.Weighted)
			for i, want := range r.Want.Classes {
				if got.Classes[i].Name != want.Name || got.Classes[i].Support != want.Support {
					t.Errorf("class %d: got %+v, want %+v", i, got.Classes[i], want)
				}
				scores(want.Name, got.Classes[i].Scores, want.Scores)
			}
		})
	}
}

func TestEvaluateRefuses(t *testing.T) {
	good := predict(0, 0.5, 0.5)
	logits := predict(1, 0.5, 0.5)
	logits.Logits = []float32{1}
	for name, c := range map[string]struct {
		predictions []pipeline.Prediction
		kind        pipeline.Kind
		message     string
	}{
		"no samples":     {nil, pipeline.BadData, "no samples"},
		"label too high": {[]pipeline.Prediction{good, predict(2, 0.5, 0.5)}, pipeline.BadData, `"of class 2.jpg": label 2`},
		"no label":       {[]pipeline.Prediction{predict(-1, 0.5, 0.5)}, pipeline.BadData, `"of class -1.jpg": label -1`},
		"short row":      {[]pipeline.Prediction{predict(0, 1)}, pipeline.BadModel, `"of class 0.jpg": 1 probabilities for 2 classes`},
		"long row":       {[]pipeline.Prediction{predict(0, 1, 0, 0)}, pipeline.BadModel, `"of class 0.jpg": 3 probabilities for 2 classes`},
		"short logits":   {[]pipeline.Prediction{good, logits}, pipeline.BadModel, `"of class 1.jpg": 1 logits for 2 classes`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := metrics.Evaluate(metrics.Table{Classes: []string{"cat", "dog"}, Predictions: c.predictions}, metrics.Options{})
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Fatalf("got error %v, want one with %q", err, c.message)
			}
			if got := pipeline.KindOf(err); got != c.kind {
				t.Errorf("got kind %v, want %v", got, c.kind)
			}
		})
	}
}

func TestEvaluatePredictsANaNAsNumpyDoes(t *testing.T) {
	nan := float32(math.NaN())
	r, err := metrics.Evaluate(metrics.Table{Classes: []string{"a", "b", "c"}, Predictions: []pipeline.Prediction{predict(1, 0.9, nan, nan)}}, metrics.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.ConfusionMatrix[1][1] != 1 {
		t.Errorf("confusion matrix %v: want the first NaN as the predicted class", r.ConfusionMatrix)
	}
	if !math.IsNaN(r.Loss) {
		t.Errorf("loss %v of a prediction that is NaN", r.Loss)
	}
}

func TestReportAsJSON(t *testing.T) {
	r, err := metrics.Evaluate(metrics.Table{Classes: []string{"cat", "dog"}, Predictions: []pipeline.Prediction{predict(0, 1, 0), predict(1, 1, 0)}}, metrics.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.Loss = 0.25
	const want = `{"samples":2,"loss":0.25,"accuracy":0.5,"balanced_accuracy":0.5,` +
		`"kappa":0,"mcc":0,"roc_auc":0.5,"average_precision":0.5,"brier":0.5,"ece":0.5,` +
		`"macro":{"precision":0.25,"recall":0.5,"f1":0.3333333333333333},` +
		`"micro":{"precision":0.5,"recall":0.5,"f1":0.5},` +
		`"weighted":{"precision":0.25,"recall":0.5,"f1":0.3333333333333333},` +
		`"classes":[{"name":"cat","support":1,"precision":0.5,"recall":1,"f1":0.6666666666666666,"roc_auc":0.5,"average_precision":0.5},` +
		`{"name":"dog","support":1,"precision":0,"recall":0,"f1":0,"roc_auc":0.5,"average_precision":0.5}],"confusion_matrix":[[1,0],[1,0]],` +
		`"warnings":["a set of 2 samples says little: another would have other figures","classes of fewer than 30 samples: cat (1), dog (1)"]}`
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
	var back metrics.Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, r) {
		t.Errorf("read back %+v, want %+v", back, r)
	}
}

func TestReportAsJSONWithoutAFiniteLoss(t *testing.T) {
	for _, loss := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		data, err := json.Marshal(metrics.Report{Samples: 3, Loss: loss, Accuracy: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), `"loss":null`) {
			t.Errorf("a loss of %v is written as %s", loss, data)
		}
		var back metrics.Report
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if !math.IsNaN(back.Loss) || back.Samples != 3 || back.Accuracy != 0.5 {
			t.Errorf("%s is read as %+v", data, back)
		}
	}
}
