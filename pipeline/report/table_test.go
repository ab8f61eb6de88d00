package report

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// evaluated is the report on a confident model that predicts class j for
// counts[i][j] samples of class i.
func evaluated(t *testing.T, classes []string, counts [][]int) metrics.Report {
	t.Helper()
	var predictions []pipeline.Prediction
	for label, row := range counts {
		for predicted, n := range row {
			for range n {
				p := pipeline.Prediction{Sample: pipeline.Sample{Label: label, Weight: 1}, Probabilities: make([]float32, len(classes))}
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

func table(t *testing.T, r metrics.Report) string {
	t.Helper()
	var b strings.Builder
	if err := WriteTable(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// keep drops metrics that a test's table does not list.
func keep(r metrics.Report, names string) {
	maps.DeleteFunc(r.Values, func(name string, _ float64) bool { return !slices.Contains(strings.Fields(names), name) })
}

const someMetrics = `loss accuracy balanced_accuracy precision recall f1 precision_weighted recall_weighted f1_weighted
	kappa mcc roc_auc average_precision brier ece`

func TestWriteTable(t *testing.T) {
	r := evaluated(t, []string{"bird", "mammal", "unseen"}, [][]int{{48, 2, 0}, {1, 149, 0}, {0, 0, 0}})
	keep(r, someMetrics)
	r.Values["loss"] = 0.12344
	const want = `class              precision  recall      f1  support
bird                  0.9796  0.9600  0.9697       50
mammal                0.9868  0.9933  0.9900      150
unseen                0.0000  0.0000  0.0000        0

accuracy                              0.9850      200
balanced accuracy                     0.9767      200
macro avg             0.6554  0.6511  0.6532      200
weighted avg          0.9850  0.9850  0.9849      200

metric              value
loss               0.1234
accuracy           0.9850
balanced_accuracy  0.9767
f1                 0.6532
kappa              0.9597
mcc                0.9598
roc_auc            0.9767
average_precision  0.9678
brier              0.0300
ece                0.0150

Confusion matrix: rows are true classes, columns are predicted classes
        bird  mammal  unseen
bird      48       2       0
mammal     1     149       0
unseen     0       0       0

Warning: classes without samples, which count as 0 in macro averages: unseen

Test Loss: 0.1234
Test Accuracy: 0.9850
`
	if got := table(t, r); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWriteTableWithIntervals(t *testing.T) {
	r := evaluated(t, []string{"cat", "dog"}, [][]int{{4, 1}, {0, 6}})
	r.Intervals = map[string]metrics.Interval{"accuracy": {0.6226, 0.9838}, "f1": {0.61234, 1}, "recall[cat]": {0, 1}}
	r.Decision = metrics.Decision{Temperature: 1.25, TemperatureFrom: "validation", Threshold: 0.4}
	keep(r, someMetrics)
	r.Values["roc_auc"] = math.NaN()
	part := evaluated(t, []string{"cat", "dog"}, [][]int{{4, 0}, {0, 1}})
	part.Intervals = map[string]metrics.Interval{"accuracy": {0.5655, 1}}
	r.Slices = []metrics.Slice{
		{Column: "camera", Value: "phone", Report: part},
		{Column: "camera", Value: "\x1b[31m", Report: evaluated(t, []string{"cat", "dog"}, [][]int{{0, 1}, {0, 5}})},
	}
	const want = `
metric              value      95% interval
loss               1.4653
accuracy           0.9091  0.6226 to 0.9838
balanced_accuracy  0.9000
f1                 0.9060  0.6123 to 1.0000
kappa              0.8136
mcc                0.8281
roc_auc                 –
average_precision  0.8740
brier              0.0909
ece                0.0909
Temperature: 1.2500 (validation)
Threshold of dog: 0.4000

slice            samples      f1  accuracy      95% interval
camera=phone           5  1.0000    1.0000  0.5655 to 1.0000
camera=\x1b[31m        6  0.4545    0.8333

Confusion matrix`
	if got := table(t, r); !strings.Contains(got, want) {
		t.Errorf("got:\n%s\nwant in it:\n%s", got, want)
	}
}

func TestWriteTableWrapsWarnings(t *testing.T) {
	var classes []string
	counts := make([][]int, 12)
	for i := range counts {
		classes = append(classes, fmt.Sprintf("class %d", i))
		counts[i] = make([]int, 12)
		counts[i][i] = 10 + 2*i
	}
	got := table(t, evaluated(t, classes, counts))
	const want = `
Warning: classes with fewer than 30 samples: class 0 (10), class 1 (12), class 2
  (14), class 3 (16), class 4 (18), class 5 (20), class 6 (22), class 7 (24),
  class 8 (26), class 9 (28)

Test Loss: `
	if !strings.Contains(got, want) {
		t.Errorf("got:\n%s\nwant in it:\n%s", got, want)
	}
}

func TestWriteTableOfManyClasses(t *testing.T) {
	const n = 14
	var classes []string
	counts := make([][]int, n)
	for i := range n {
		classes = append(classes, fmt.Sprintf("class %d", i))
		counts[i] = make([]int, n)
		counts[i][i] = 5
		counts[i][(i+1)%n] = 1
	}
	right := evaluated(t, classes, diagonal(n, 5))
	counts[9][2] = 7
	got := table(t, evaluated(t, classes, counts))
	const want = `
Most confused classes
true class  predicted  samples  of
class 9       class 2        7  13
class 0       class 1        1   6
class 1       class 2        1   6
class 2       class 3        1   6
class 3       class 4        1   6
class 4       class 5        1   6
class 5       class 6        1   6
class 6       class 7        1   6
class 7       class 8        1   6
class 8       class 9        1   6
and 5 more pairs

Warning: `
	if !strings.Contains(got, want) || strings.Contains(got, "matrix") {
		t.Errorf("got:\n%s\nwant in it:\n%s", got, want)
	}
	if got := table(t, right); !strings.Contains(got, "No class was confused with another\n") {
		t.Errorf("a model without errors:\n%s", got)
	}
}

func diagonal(n, value int) [][]int {
	rows := make([][]int, n)
	for i := range rows {
		rows[i] = make([]int, n)
		rows[i][i] = value
	}
	return rows
}

func TestWriteTableOfHostileNames(t *testing.T) {
	for name, c := range map[string]struct{ class, want string }{
		"escape sequence": {"\x1b[31mred", `\x1b[31mred`},
		"line break":      {"a\nb\tc", `a\nb\tc`},
		"bidi override":   {"gpj.\u202excod", `gpj.\u202excod`},
		"not UTF-8":       {"a\xffb", "a\ufffdb"},
		"a real escape":   {`a\nb`, `a\nb`},
		"quotes":          {`12" "x"`, `12" "x"`},
		"nothing":         {"", `""`},
		"hebrew":          {"חתול", "חתול"},
		"emoji":           {"🐈 cat", "🐈 cat"},
		"long":            {strings.Repeat("a", 30) + strings.Repeat("é", 30), strings.Repeat("a", 16) + "…" + strings.Repeat("é", 15)},
	} {
		t.Run(name, func(t *testing.T) {
			got := table(t, evaluated(t, []string{c.class, "dog"}, [][]int{{2, 1}, {0, 3}}))
			lines := strings.Split(got, "\n")
			if !strings.HasPrefix(lines[1], c.want+"  ") {
				t.Errorf("got line %q, want it to begin with %q", lines[1], c.want)
			}
			if n := utf8.RuneCountInString(lines[0]); n != utf8.RuneCountInString(lines[1]) || n != utf8.RuneCountInString(lines[2]) {
				t.Errorf("lines are not aligned:\n%s", got)
			}
			for _, r := range got {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%q is in the table", r)
				}
			}
		})
	}
}

func TestWriteTableShortensTheMatrixHeader(t *testing.T) {
	got := table(t, evaluated(t, []string{"photographs of cats", "photographs of dogs"}, diagonal(2, 1)))
	if !strings.Contains(got, "\n                     phot…ats  phot…ogs\nphotographs of cats         1         0\n") {
		t.Errorf("got:\n%s", got)
	}
}

func TestWriteTableEndsWithNaN(t *testing.T) {
	r := evaluated(t, []string{"cat", "dog"}, diagonal(2, 1))
	r.Values["loss"] = math.NaN()
	if got := table(t, r); !strings.HasSuffix(got, "\n\nTest Loss: NaN\nTest Accuracy: 1.0000\n") {
		t.Errorf("got:\n%s", got)
	}
}

type brokenPipe struct{ err error }

func (b brokenPipe) Write([]byte) (int, error) { return 0, b.err }

func TestWriteTableHandsOnAnError(t *testing.T) {
	want := errors.New("broken pipe")
	if err := WriteTable(brokenPipe{want}, evaluated(t, []string{"cat", "dog"}, diagonal(2, 1))); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
