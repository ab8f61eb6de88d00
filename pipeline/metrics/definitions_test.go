package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// TestMain runs no test if a row lacks its value: each one would end in a panic.
func TestMain(m *testing.M) {
	for _, d := range definitions() {
		if d.overall == nil {
			fmt.Fprintf(os.Stderr, "definitions.go: the row of %s has no overall value\n", d.name)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// sampleTable is a model of four classes that is right more often than not.
func sampleTable() Table {
	t := Table{Classes: []string{"ant", "bee", "cow", "dog"}}
	for i := range 60 {
		label := i % 4
		logits := []float32{0, float32(i%3) / 2, float32(i%5) / 3, 0.1}
		logits[label] += float32(i % 7)
		t.Predictions = append(t.Predictions, pipeline.Prediction{
			Sample: pipeline.Sample{ID: fmt.Sprint(i), Label: label, Weight: 1}, Logits: logits, Probabilities: pipeline.Softmax(logits),
		})
	}
	return t
}

// choosy is a decision that abstains and has sets, so that every metric exists.
func choosy() Decision { return Decision{Confidence: 0.5, Set: 0.2} }

func sampleReport(t *testing.T) Report {
	t.Helper()
	r, err := Evaluate(t.Context(), sampleTable(), Options{TopK: 2, Resamples: 50, Decision: choosy()})
	if err == nil {
		err = r.AddNovelty(t.Context(), []float32{0.1, 0.5, 1.2}, []float32{0.7, 2, 3, 4})
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A row must be complete: what it leaves out would be silently wrong elsewhere.
func TestDefinitionsAreComplete(t *testing.T) {
	names, reserved := map[string]bool{}, []string{"name", "support"} // of a class
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Report]()) {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		reserved = append(reserved, key)
	}
	methods := []method{proportion, score, skewed}
	for _, d := range definitions() {
		switch {
		case names[d.name]:
			t.Errorf("%s is defined twice", d.name)
		case strings.ContainsAny(d.name, "[] ="):
			t.Errorf("%q cannot be a name: gates could not take it", d.name)
		case !(d.min < d.max):
			t.Errorf("%s lies between %v and %v", d.name, d.min, d.max)
		case d.interval == score && (math.IsInf(d.min, 0) || math.IsInf(d.max, 0)):
			t.Errorf("%s: a score needs finite bounds", d.name)
		case !slices.Contains(methods, d.interval) || d.class != nil && !slices.Contains(methods, d.classInterval):
			t.Errorf("%s: its intervals %q and %q must be among %q", d.name, d.interval, d.classInterval, methods)
		case d.class == nil && (d.classInterval != "" || d.classSize != nil):
			t.Errorf("%s has an interval but no value by class", d.name)
		case slices.Contains(reserved, d.key()) && d.in == "" || slices.Contains(reserved, d.in):
			t.Errorf("%s: evaluation.json uses the key for something else", d.name)
		case Title(d.name) == "" || Title(d.name) == d.name:
			t.Errorf("%s has the title %q", d.name, Title(d.name))
		}
		names[d.name] = true
	}
}

// Every value and interval lies within the bounds of its row.
func TestMetricsLieWithinTheirBounds(t *testing.T) {
	r := sampleReport(t)
	if got, want := len(r.Metrics()), len(columns(r.classNames(), r.TopK)); got != want {
		t.Errorf("%d metrics, want %d", got, want)
	}
	for _, m := range r.Metrics() {
		lowest, highest := bounds(m.Name)
		if !(m.Value >= lowest && m.Value <= highest) {
			t.Errorf("%s is %v, not between %v and %v", m.Name, m.Value, lowest, highest)
		}
		if m.Method == "" || m.Lower < lowest-rounding || m.Upper > highest+rounding {
			t.Errorf("%s: the interval from %v to %v is missing or exceeds %v to %v", m.Name, m.Lower, m.Upper, lowest, highest)
		}
	}
}

// A temperature for each sample changes probabilities, and so the order of the
// samples, but not the order of the classes within a sample.
func TestOnlyMetricsOfProbabilitiesDependOnThem(t *testing.T) {
	original := sampleReport(t)
	changed := map[string]bool{}
	for _, divisors := range [][]int{{3}, {1, 4}, {1, 2, 5, 1, 9}, {7, 3, 1}} {
		table := sampleTable()
		for i, p := range table.Predictions {
			for k := range p.Logits {
				p.Logits[k] /= float32(divisors[i%len(divisors)])
			}
			table.Predictions[i].Probabilities = pipeline.Softmax(p.Logits)
		}
		r, err := Evaluate(t.Context(), table, Options{TopK: 2, Decision: choosy()})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Metrics() {
			d, _ := define(m.Name)
			before, err := original.Metric(m.Name)
			changed[d.name] = changed[d.name] || m.Value != before.Value || err != nil
		}
	}
	for _, d := range definitions() {
		if d.ofProbabilities != changed[d.name] {
			t.Errorf("%s: ofProbabilities is %v, but that other probabilities change it is %v", d.name, d.ofProbabilities, changed[d.name])
		}
	}
}

// A perfect model must be at the better end of every bounded metric, so that
// lowerIsBetter cannot be forgotten.
func TestAPerfectModelIsAtTheBetterEnd(t *testing.T) {
	table := Table{Classes: []string{"cat", "dog", "cow"}}
	for i := range 30 {
		row := make([]float32, 3)
		row[i%3] = 1
		table.Predictions = append(table.Predictions, pipeline.Prediction{Sample: pipeline.Sample{Label: i % 3, Weight: 1}, Probabilities: row})
	}
	r, err := Evaluate(t.Context(), table, Options{TopK: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Metrics() {
		lowest, highest := bounds(m.Name)
		best := highest
		if LowerIsBetter(m.Name) {
			best = lowest
		}
		if math.Abs(m.Value-best) > 1e-6 {
			t.Errorf("%s of a perfect model is %v, and its best value %v", m.Name, m.Value, best)
		}
	}
}

// Every metric survives JSON. One that an older evaluation.json lacks is
// missing afterwards, never 0.
func TestEveryMetricInJSON(t *testing.T) {
	r := sampleReport(t)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(back.Metrics()), fmt.Sprint(r.Metrics()); got != want {
		t.Errorf("read back as %s, want %s", got, want)
	}
	for _, d := range definitions() {
		var document map[string]any
		if err := json.Unmarshal(data, &document); err != nil {
			t.Fatal(err)
		}
		object := document
		if d.in != "" {
			object = document[d.in].(map[string]any)
		}
		if _, ok := object[d.key()]; !ok {
			t.Errorf("%s is not in the document", d.name)
		}
		delete(object, d.key())
		for _, class := range document["classes"].([]any) {
			delete(class.(map[string]any), d.name)
		}
		old, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal(old, &back); err != nil {
			t.Fatal(err)
		}
		if d.name == topKAccuracy {
			if m, err := back.Metric("top_2_accuracy"); err != nil || m.Value != 0 {
				t.Errorf("%+v, %v: older versions left a top-k accuracy of 0 out", m, err)
			}
			continue
		}
		missing := func(m Metric) bool {
			return m.Name == d.name || d.class != nil && strings.HasPrefix(m.Name, d.name+"[")
		}
		if slices.ContainsFunc(back.Metrics(), missing) || !math.IsNaN(back.Value(d.name)) {
			t.Errorf("%s is missing from the document but not from the report: %v", d.name, back.Value(d.name))
		}
		if got, want := len(back.Metrics()), len(slices.DeleteFunc(r.Metrics(), missing)); got != want {
			t.Errorf("without %s: %d metrics, want %d", d.name, got, want)
		}
		want := "another version of tftl"
		if familiar, others := ofNovelty(d.name); familiar || others {
			want = "every image is familiar"
		}
		if _, err := back.Metric(d.name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v", d.name, err)
		}
	}
}

// Lists, gates and comparisons know every metric.
func TestEveryMetricIsKnownEverywhere(t *testing.T) {
	all := All()
	table := sampleTable()
	c, err := Compare(t.Context(), table, table, choosy(), choosy(), Options{TopK: 2, Resamples: 10})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, column := range columns(table.Classes, 2) {
		name := column.definition.name
		if column.index >= 0 {
			name += "[CLASS]"
		}
		if name = strings.ReplaceAll(name, topKAccuracy, topName(5)); !slices.Contains(all, name) {
			t.Errorf("%s is not listed in %v", name, all)
		}
		if _, err := ParseGate(column.name+"=1", false); err != nil {
			t.Error(err)
		}
		// Novelty is not in predictions, so it is not compared.
		if familiar, others := ofNovelty(column.name); !familiar && !others {
			if got := c.Differences[compared].Name; got != column.name {
				t.Errorf("difference %d is of %s, want %s", compared, got, column.name)
			}
			compared++
		}
		if column.index < 0 && column.monitored != slices.Contains(Monitored(), column.name) {
			t.Errorf("%s: monitored is %v, but Monitored lists %v", column.name, column.monitored, Monitored())
		}
	}
}
