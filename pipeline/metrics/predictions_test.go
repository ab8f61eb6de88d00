package metrics_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"tftl/internal/gz"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// hostile are names that folders and files really have.
func hostile() []string {
	return []string{
		"<script>alert(1)</script>", `12" "x"`, "a,b;c", "חתול", "gpj.\u202excod", "🐈", "a\nb", "\x1b[31m", "a\xffb", "p(x)", ")", "",
		"=1+1", "+1", "-1", "@x", "'x", "''", "\tx", "\rx", " x ", "#x", "path",
	}
}

func written(t *testing.T, table metrics.Table, d metrics.Decision) string {
	t.Helper()
	var b strings.Builder
	if err := table.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// coarse shortens losses, whose last digits depend on the processor.
func coarse(text string) string {
	return regexp.MustCompile(`(\.[0-9]{6})[0-9]{5,}`).ReplaceAllString(text, "$1…")
}

func TestTableIsReadAsItWasWritten(t *testing.T) {
	names := hostile()
	random := rand.New(rand.NewPCG(1, 2))
	table := metrics.Table{Classes: names, Slices: map[string][]string{}}
	for i := range 200 {
		row, logits := make([]float32, len(names)), make([]float32, len(names))
		sum := float32(0)
		for k := range row {
			row[k], logits[k] = random.Float32(), math.Float32frombits(random.Uint32())
			sum += row[k]
			if z := float64(logits[k]); math.IsNaN(z) || math.IsInf(z, 0) {
				logits[k] = -math.MaxFloat32 // infinities are refused
			}
		}
		for k := range row {
			row[k] /= sum
		}
		sample := pipeline.Sample{ID: fmt.Sprintf("%s/%d", names[random.IntN(len(names))], i), Label: random.IntN(len(names)), Weight: 1}
		if i < len(names) {
			sample.ID = names[i]
		}
		table.Predictions = append(table.Predictions, pipeline.Prediction{Sample: sample, Probabilities: row, Logits: logits})
		for _, column := range names {
			table.Slices[column] = append(table.Slices[column], names[random.IntN(len(names))])
		}
	}
	without := table.Select(func(i int) bool { return i%2 == 0 })
	without.Slices = nil
	for i := range without.Predictions {
		without.Predictions[i].Logits = nil
	}
	for name, table := range map[string]metrics.Table{"all of it": table, "probabilities alone": without} {
		for _, d := range []metrics.Decision{{}, {Temperature: 1.5}} {
			want, err := table.Decide(d)
			if err != nil {
				t.Fatal(err)
			}
			want.Decision = d
			text := written(t, table, d)
			if again := written(t, want, d); again != text {
				t.Errorf("%s: a decided table is written differently", name)
			}
			got, err := metrics.ReadTable(strings.NewReader(text), "predictions.csv")
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the table is not as it was", name)
			}
		}
	}
}

// Predictions that no working model returns are refused in a table too, by line and image.
func TestTableOfUnsoundPredictions(t *testing.T) {
	const header = "path,label,predicted,probability,p(cat),p(dog),logit(cat),logit(dog)\na.jpg,cat,cat,0.5,0.5,0.5,0,0\n"
	for numbers, want := range map[string]string{
		"NaN,0.5,0,0":   "probability is NaN",
		"0.5,Inf,0,0":   "probability is +Inf",
		"1.7,-0.7,0,0":  "probability is 1.7000000476837158",
		"0.5,0.6,0,0":   "probabilities sum to 1.100000023841858",
		"0.5,0.5,NaN,0": "logit is NaN",
		"0,1,-Inf,0":    "logit is -Inf",
	} {
		_, err := metrics.ReadTable(strings.NewReader(header+"b.jpg,dog,dog,0.5,"+numbers+"\n"), "predictions.csv")
		if want = "predictions.csv:3: image b.jpg: the model's " + want; err == nil || err.Error() != want || pipeline.KindOf(err) != pipeline.BadModel {
			t.Errorf("%s: %v, want %s", numbers, err, want)
		}
	}
}

// A spreadsheet treats a cell that begins with one of these as a formula.
func TestTableHasNoFormula(t *testing.T) {
	table := metrics.Table{Classes: hostile()}
	for i := range table.Classes {
		p := predict(i, make([]float32, len(table.Classes))...)
		p.Sample.ID, p.Probabilities[i] = table.Classes[i], 1
		table.Predictions = append(table.Predictions, p)
	}
	rows, err := csv.NewReader(strings.NewReader(written(t, table, metrics.Decision{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("the cell %q", cell)
			}
		}
	}
}

func TestTableHasWhatTheDecisionMakesOfIt(t *testing.T) {
	table := metrics.Table{
		Classes:     []string{"cat", "dog"},
		Predictions: []pipeline.Prediction{predict(0, 0.4, 0.6), predict(1, 0.2, 0.8)},
	}
	const want = "path,label,predicted,probability,loss,p(cat),p(dog),temperature,threshold\n" +
		"of class 0.jpg,cat,cat,0.4,0.916290…,0.4,0.6,1,0.7\nof class 1.jpg,dog,dog,0.8,0.223143…,0.2,0.8,1,0.7\n"
	if got := coarse(written(t, table, metrics.Decision{Threshold: 0.7})); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i := range table.Predictions {
		table.Predictions[i].Sample.Label = -1
	}
	const unlabelled = "path,predicted,probability,p(cat),p(dog)\nof class 0.jpg,dog,0.6,0.4,0.6\nof class 1.jpg,dog,0.8,0.2,0.8\n"
	if got := written(t, table, metrics.Decision{}); got != unlabelled {
		t.Errorf("got %s, want %s", got, unlabelled)
	}
}

// The file keeps the decision, so it gives the same metrics when read again.
func TestTableKeepsItsDecision(t *testing.T) {
	p := predict(1, 0, 0)
	p.Logits = []float32{-1, 1}
	p.Probabilities = pipeline.Softmax(p.Logits)
	table := metrics.Table{Classes: []string{"cat", "dog"}, Predictions: []pipeline.Prediction{p}, Slices: map[string][]string{"size": {"big"}}}
	d := metrics.Decision{Temperature: 2, Threshold: 0.8}
	const old = "path,label,predicted,probability,p(cat),p(dog),logit(cat),logit(dog),slice(size),temperature,threshold\n" +
		"of class 1.jpg,dog,cat,0.26894143,0.26894143,0.7310586,-1,1,big,2,0.8\n"
	const want = "path,label,predicted,probability,loss,p(cat),p(dog),slice(size),temperature,threshold\n" +
		"of class 1.jpg,dog,cat,0.26894143,0.313261…,0.26894143,0.7310586,big,2,0.8\n"
	text := written(t, table, d)
	if coarse(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	for _, text := range []string{old, text} {
		got, err := metrics.ReadTable(strings.NewReader(text), "predictions.csv")
		if err != nil || got.Decision != d || !reflect.DeepEqual(got.Slices, table.Slices) {
			t.Errorf("got %+v, %v", got, err)
		}
		if again := coarse(written(t, got, d)); again != want {
			t.Errorf("got %s, want %s", again, want)
		}
		if _, err := metrics.ReadTable(strings.NewReader(strings.Replace(text, ",2,0.8", ",0,7", 1)), "predictions.csv"); err == nil || pipeline.KindOf(err) == pipeline.BadModel {
			t.Errorf("a threshold of 7: %v", err)
		}
	}
}

// What is read from a file has the same metrics as what was measured, to the last
// bit, with a model too certain for its float32 probabilities too.
func TestMetricsOfATableThatWasRead(t *testing.T) {
	table := synthetic(60, 5)
	for i := range table.Predictions {
		p := &table.Predictions[i]
		for k := range p.Logits {
			p.Logits[k] *= 20
		}
		p.Probabilities = pipeline.Softmax(p.Logits)
	}
	for _, d := range []metrics.Decision{{}, {Temperature: 0.3}, {Temperature: 40}} {
		o := metrics.Options{Decision: d, Seed: 1, Resamples: 50}
		want, err := metrics.Evaluate(t.Context(), table, o)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z := gz.NewWriter(&packed)
		if err := errors.Join(table.Write(z, d), z.Close()); err != nil {
			t.Fatal(err)
		}
		read, err := metrics.ReadTable(&packed, "predictions.csv.gz")
		if err != nil {
			t.Fatal(err)
		}
		got, err := metrics.Evaluate(t.Context(), read, o)
		if err != nil || asJSON(t, got) != asJSON(t, want) {
			t.Errorf("%+v: got %s, %v, want %s", d, asJSON(t, got), err, asJSON(t, want))
		}
	}
}

// A table of the most likely classes still says which images were confused.
func TestConfused(t *testing.T) {
	table := metrics.Table{Classes: []string{"cat", "=dog", "cow"}, Predictions: []pipeline.Prediction{
		predict(0, 0.1, 0.7, 0.2), predict(1, 0.25, 0.5, 0.25), predict(0, 0.2, 0.5, 0.3), predict(2, 0.5, 0.2, 0.3),
	}}
	for i := range table.Predictions {
		table.Predictions[i].Sample.ID = fmt.Sprint(i)
	}
	want := metrics.Images{{"cat", "=dog"}: {"0", "2"}, {"cow", "cat"}: {"3"}}
	var b strings.Builder
	if err := table.WriteTop(&b, metrics.Decision{}, 2); err != nil {
		t.Fatal(err)
	}
	const file = "path,label,predicted,probability,loss,predicted_2,probability_2\n" +
		"0,cat,'=dog,0.7,2.302585…,cow,0.2\n1,'=dog,'=dog,0.5,0.693147…,cat,0.25\n" +
		"2,cat,'=dog,0.5,1.609437…,cow,0.3\n3,cow,cat,0.5,1.203972…,cow,0.3\n"
	if coarse(b.String()) != file {
		t.Errorf("got %s, want %s", b.String(), file)
	}
	top, err := metrics.ReadTable(strings.NewReader(b.String()), "predictions.csv")
	if err != nil || top.Top != 2 {
		t.Fatalf("top %d, %v", top.Top, err)
	}
	for _, got := range []metrics.Images{table.Confused(metrics.Decision{}), top.Confused(metrics.Decision{})} {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestReadTableNamesTheLine(t *testing.T) {
	const head = "path,label,predicted,probability,p(cat),p(dog)\n"
	const row = "a.jpg,cat,cat,0.6,0.6,0.4\n"
	for text, want := range map[string]string{
		"":             "x.csv: the file is empty",
		"path,label\n": "x.csv:1: is not a table of predictions",
		"path,predicted,probability,p(cat),p(dog)\n":                              "x.csv:1: is not a table of predictions",
		"path,label,predicted,probability\n":                                      "x.csv:1: has no p(CLASS) column",
		"path,label,predicted,probability,p(a),p(a)\n":                            "x.csv:1: two columns have the same name",
		"path,label,predicted,probability,p(a),p(b),logit(b),logit(a)\n":          "x.csv:1: the logit(CLASS) columns do not match",
		"path,label,predicted,probability,p(a),p(b),logit(a)\n":                   "x.csv:1: the logit(CLASS) columns do not match",
		"path,label,predicted,probability,p(a),p(b),size\n":                       `x.csv:1: unknown column "size"`,
		"path,label,predicted,probability,p(a),p(b),slice(x),logit(a),logit(b)\n": `x.csv:1: unknown column "logit(a)"`,
		head + row + "b.jpg,cow,cat,0.6,0.6,0.4\n":                                `x.csv:3: the label "cow" is not a class`,
		head + row + "b.jpg,cat,cat,0.6,0.6,many\n":                               `x.csv:3: "many" is not a number`,
		head + row + "b.jpg,cat,cat,0.6,0.6\n":                                    "x.csv:3: wrong number of fields",
		head + "\"a\nb.jpg\",cat,cat,0.6,0.6,0.4\nb.jpg,cat,cat,0.6,0.6,1e999\n":  `x.csv:4: "1e999" is not a number`,
		head + row + "b\"c.jpg,cat,cat,0.6,0.6,0.4\n":                             "x.csv:3: bare \"",
	} {
		_, err := metrics.ReadTable(strings.NewReader(text), "x.csv")
		if err == nil || !strings.HasPrefix(err.Error(), want) || pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestEvaluateBySlices(t *testing.T) {
	table := answers(3, 10)
	table.Slices = map[string][]string{"size": nil, "camera": nil}
	for i := range table.Predictions {
		table.Slices["camera"] = append(table.Slices["camera"], []string{"phone", "", "phone"}[i%3])
		table.Slices["size"] = append(table.Slices["size"], "big")
	}
	r, err := metrics.Evaluate(t.Context(), table, metrics.Options{Resamples: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Slices {
		got = append(got, fmt.Sprintf("%s=%s: %d samples", s.Column, s.Value, s.Report.Samples))
		part := table.Select(func(i int) bool { return table.Slices[s.Column][i] == s.Value })
		part.Slices = nil
		want, err := metrics.Evaluate(t.Context(), part, metrics.Options{Resamples: 10})
		if err != nil {
			t.Fatal(err)
		}
		// As JSON, because NaN differs from itself.
		if a, b := asJSON(t, s.Report), asJSON(t, want); a != b {
			t.Errorf("%s=%s: got %s, want %s", s.Column, s.Value, a, b)
		}
	}
	if want := []string{"camera=: 3 samples", "camera=phone: 7 samples", "size=big: 10 samples"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEvaluateRefusesASliceForEachSample(t *testing.T) {
	table := answers(3, 101)
	table.Slices = map[string][]string{"name": nil}
	for i := range table.Predictions {
		table.Slices["name"] = append(table.Slices["name"], fmt.Sprint(i))
	}
	_, err := metrics.Evaluate(t.Context(), table, metrics.Options{})
	if err == nil || !strings.Contains(err.Error(), `slice name: has 101 values`) || pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	r := report(t, []string{"cat", "dog", "\x1b[31m"}, [][]int{{90, 0, 0}, {0, 29, 0}, {0, 0, 0}})
	want := []string{
		`classes without samples, which count as 0 in macro averages: \x1b[31m`,
		"classes with fewer than 30 samples: dog (29)",
	}
	if !reflect.DeepEqual(r.Warnings, want) {
		t.Errorf("got %q, want %q", r.Warnings, want)
	}
	if r := report(t, []string{"cat", "dog"}, diagonal(2, 50)); r.Warnings != nil {
		t.Errorf("got %q of 100 samples", r.Warnings)
	}
}
