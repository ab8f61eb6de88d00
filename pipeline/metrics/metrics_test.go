package metrics_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// probabilityUnit and logitUnit divide the inputs that sklearn.py wrote.
const (
	probabilityUnit = 4096
	logitUnit       = 256
)

// reference is one case of testdata/sklearn.json, which sklearn.py writes.
type reference struct {
	Name          string
	Labels        []int
	Probabilities [][]int
	Logits        [][]int
	TopK          int `json:"top_k"`
	Confusion     [][]int
	Want          map[string]float64
	Classes       map[string][]*float64 // a metric by class, nil if it is not defined
	Temperature   *float64
	BestF1        *float64 `json:"best_f1"`
	Curves        []struct{ FPR, TPR, Precision, Recall []float64 }
	Reliability   *struct{ Accuracy, Confidence []float64 }
}

func (r reference) table() metrics.Table {
	t := metrics.Table{}
	for i := range r.Probabilities[0] {
		t.Classes = append(t.Classes, fmt.Sprintf("class %d", i))
	}
	for i, label := range r.Labels {
		p := predict(label, scaled(r.Probabilities[i], probabilityUnit)...)
		p.Sample.ID = fmt.Sprintf("%d.jpg", i)
		if r.Logits != nil {
			p.Logits = scaled(r.Logits[i], logitUnit)
		}
		t.Predictions = append(t.Predictions, p)
	}
	return t
}

func scaled(row []int, unit float32) []float32 {
	values := make([]float32, len(row))
	for i, v := range row {
		values[i] = float32(v) / unit
	}
	return values
}

// want is every metric by name. One that is not defined is NaN.
func (r reference) want() map[string]float64 {
	all := map[string]float64{}
	for _, name := range []string{"kappa", "roc_auc", "average_precision"} {
		all[name] = math.NaN()
	}
	for name, v := range r.Want {
		all[name] = v
	}
	for name, values := range r.Classes {
		for i, v := range values {
			name := fmt.Sprintf("%s[class %d]", name, i)
			if all[name] = math.NaN(); v != nil {
				all[name] = *v
			}
		}
	}
	return all
}

// book is all of testdata/sklearn.json.
type book struct {
	Cases     []reference
	Wilson    [][4]float64 // right, samples, lower, upper
	McNemar   [][3]float64 // samples that only one model gets right, that only the other gets right, p
	Bootstrap struct {
		reference
		Loss       metrics.Interval
		Deviations map[string]float64
	}
}

func readBook(t *testing.T) book {
	t.Helper()
	data, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var b book
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func references(t *testing.T) []reference {
	t.Helper()
	cases := readBook(t).Cases
	if len(cases) < 200 {
		t.Fatalf("%d reference cases, want at least 200", len(cases))
	}
	return cases
}

func predict(label int, probabilities ...float32) pipeline.Prediction {
	return pipeline.Prediction{
		Sample:        pipeline.Sample{ID: fmt.Sprintf("of class %d.jpg", label), Label: label, Weight: 1},
		Probabilities: probabilities,
	}
}

// tolerance is for sums in another order. It is enough for the loss too:
// Keras and scikit-learn were given the same float32 rows as float64.
const tolerance = 1e-12

func near(got, want float64) bool { return math.Abs(got-want) <= tolerance*max(1, math.Abs(want)) }

// same is near, or both are NaN.
func same(got, want float64) bool { return near(got, want) || math.IsNaN(got) && math.IsNaN(want) }

func TestEvaluateAgreesWithScikitLearn(t *testing.T) {
	for _, c := range references(t) {
		t.Run(c.Name, func(t *testing.T) {
			r, err := metrics.Evaluate(t.Context(), c.table(), metrics.Options{TopK: c.TopK})
			if err != nil {
				t.Fatal(err)
			}
			if r.Samples != len(c.Labels) {
				t.Errorf("samples: got %d, want %d", r.Samples, len(c.Labels))
			}
			if !reflect.DeepEqual(r.ConfusionMatrix, c.Confusion) {
				t.Errorf("confusion matrix: got %v, want %v", r.ConfusionMatrix, c.Confusion)
			}
			got := map[string]float64{}
			for _, f := range r.Metrics() {
				got[f.Name] = f.Value
			}
			for _, class := range r.Classes {
				got["support["+class.Name+"]"] = float64(class.Support)
			}
			want := c.want()
			for name := range got {
				if _, ok := want[name]; !ok {
					t.Errorf("sklearn.json lacks %s: add it to sklearn.py and run that", name)
				}
			}
			for name, v := range want {
				if g, ok := got[name]; !ok || !same(g, v) {
					t.Errorf("%s: got %.17g, want %.17g", name, g, v)
				}
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
			_, err := metrics.Evaluate(t.Context(), metrics.Table{Classes: []string{"cat", "dog"}, Predictions: c.predictions}, metrics.Options{})
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
	r, err := metrics.Evaluate(t.Context(), metrics.Table{Classes: []string{"a", "b", "c"}, Predictions: []pipeline.Prediction{predict(1, 0.9, nan, nan)}}, metrics.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.ConfusionMatrix[1][1] != 1 {
		t.Errorf("confusion matrix %v: want the first NaN as the predicted class", r.ConfusionMatrix)
	}
	if !math.IsNaN(r.Value("loss")) {
		t.Errorf("loss %v of a prediction that is NaN", r.Value("loss"))
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The names and order of the keys must stay, for users' scripts. New ones may come.
func TestReportAsJSON(t *testing.T) {
	r, err := metrics.Evaluate(t.Context(), metrics.Table{Classes: []string{"cat", "dog"}, Predictions: []pipeline.Prediction{predict(0, 1, 0), predict(1, 1, 0)}}, metrics.Options{})
	if err != nil {
		t.Fatal(err)
	}
	names := `loss accuracy balanced_accuracy kappa mcc roc_auc average_precision brier ece
		precision recall f1 precision_micro recall_micro f1_micro precision_weighted recall_weighted f1_weighted`
	maps.DeleteFunc(r.Values, func(name string, _ float64) bool { return !slices.Contains(strings.Fields(names), name) })
	r.Values["loss"] = 0.25
	const want = `{"samples":2,"loss":0.25,"accuracy":0.5,"balanced_accuracy":0.5,` +
		`"kappa":0,"mcc":0,"roc_auc":0.5,"average_precision":0.5,"brier":0.5,"ece":0.5,` +
		`"macro":{"precision":0.25,"recall":0.5,"f1":0.3333333333333333},` +
		`"micro":{"precision":0.5,"recall":0.5,"f1":0.5},` +
		`"weighted":{"precision":0.25,"recall":0.5,"f1":0.3333333333333333},` +
		`"classes":[{"name":"cat","support":1,"precision":0.5,"recall":1,"f1":0.6666666666666666,"roc_auc":0.5,"average_precision":0.5},` +
		`{"name":"dog","support":1,"precision":0,"recall":0,"f1":0,"roc_auc":0.5,"average_precision":0.5}],"confusion_matrix":[[1,0],[1,0]],` +
		`"warnings":["only 2 samples: metrics on another set could differ a lot","classes with fewer than 30 samples: cat (1), dog (1)"]}`
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
		data, err := json.Marshal(metrics.Report{Samples: 3, Values: metrics.Values{"loss": loss, "accuracy": 0.5}})
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
		if !math.IsNaN(back.Values["loss"]) || back.Samples != 3 || back.Values["accuracy"] != 0.5 {
			t.Errorf("%s is read as %+v", data, back)
		}
	}
}

func TestReportOfAnInfiniteLossAsJSON(t *testing.T) {
	inf := float32(math.Inf(1))
	table := answers(3, 5)
	for i := range table.Predictions {
		table.Predictions[i].Logits = []float32{0, 1}
	}
	table.Predictions[0].Logits = []float32{-inf, 0}
	r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Resamples: 20})
	if err != nil {
		t.Fatal(err)
	}
	var back metrics.Report
	if err := json.Unmarshal([]byte(asJSON(t, r)), &back); err != nil {
		t.Fatal(err)
	}
	if _, ok := back.Intervals["loss"]; ok || !math.IsInf(r.Value("loss"), 1) || back.Intervals["brier"] != r.Intervals["brier"] {
		t.Errorf("a loss of %v has the intervals %v", r.Value("loss"), back.Intervals)
	}
}

// report evaluates a confident model that predicts class j for counts[i][j]
// samples of class i.
func report(t *testing.T, classes []string, counts [][]int) metrics.Report {
	t.Helper()
	var predictions []pipeline.Prediction
	for label, row := range counts {
		for predicted, n := range row {
			for range n {
				p := predict(label, make([]float32, len(classes))...)
				p.Probabilities[predicted] = 1
				predictions = append(predictions, p)
			}
		}
	}
	r, err := metrics.Evaluate(t.Context(), metrics.Table{Classes: classes, Predictions: predictions}, metrics.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func diagonal(n, value int) [][]int {
	rows := make([][]int, n)
	for i := range rows {
		rows[i] = make([]int, n)
		rows[i][i] = value
	}
	return rows
}
