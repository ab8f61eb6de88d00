package metrics

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"tftl/pipeline"
)

// references are testdata/abstain.json, which SciPy and NumPy computed.
type references struct {
	Cases []struct {
		Labels        []int
		Probabilities [][]float32
		Risks         [][3]float64 // risk, answered, wrong of those
		Coverages     [][2]float64 // coverage, answered
		Sets          [][2]float64 // level, least probability
		Least         float64
	}
	Bounds [][4]float64 // wrong, samples, doubt, bound
}

func readReferences(t *testing.T) (r references) {
	t.Helper()
	data, err := os.ReadFile("testdata/abstain.json")
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestChoicesAgreeWithSciPy(t *testing.T) {
	all := readReferences(t)
	for _, b := range all.Bounds {
		if got := riskBound(int(b[0]), int(b[1]), b[2]); math.Abs(got-b[3]) > 1e-9 {
			t.Errorf("%v of %v at %v: bound %v, SciPy's is %v", b[0], b[1], b[2], got, b[3])
		}
	}
	for i, c := range all.Cases {
		var predictions []pipeline.Prediction
		for k, label := range c.Labels {
			row := c.Probabilities[k]
			for j := range row {
				row[j] /= 4096
			}
			predictions = append(predictions, pipeline.Prediction{Sample: pipeline.Sample{Label: label}, Probabilities: row})
		}
		for _, want := range c.Risks {
			got, err := ChooseConfidence(predictions, Decision{}, Abstention{Risk: want[0]})
			if (err != nil) != (want[1] == 0) || got.Answered != int(want[1]) || got.Wrong != int(want[2]) {
				t.Errorf("case %d, risk %v: %+v, %v, want %v", i, want[0], got, err, want)
			}
			checkChoice(t, predictions, got, err)
		}
		for _, want := range c.Coverages {
			got, err := ChooseConfidence(predictions, Decision{}, Abstention{Coverage: want[0]})
			if err != nil || got.Answered != int(want[1]) {
				t.Errorf("case %d, coverage %v: %+v, %v, want %v", i, want[0], got, err, want)
			}
			checkChoice(t, predictions, got, err)
		}
		// The smallest risk that the error speaks of can be had.
		if _, err := ChooseConfidence(predictions, Decision{}, Abstention{Risk: c.Least + 1e-9}); err != nil {
			t.Errorf("case %d: %v can be promised: %v", i, c.Least, err)
		}
		if _, err := ChooseConfidence(predictions, Decision{}, Abstention{Risk: c.Least - 1e-6}); err == nil && c.Least > 1e-6 {
			t.Errorf("case %d: less than %v cannot be promised", i, c.Least)
		}
		levels := map[float64]float64{}
		for _, want := range c.Sets {
			levels[want[0]] = want[1]
		}
		for _, level := range []float64{0.5, 0.9, 0.95} {
			got, err := ChooseSet(predictions, level)
			if want, ok := levels[level]; got*4096 != want || (err == nil) != (ok && want > 0) {
				t.Errorf("case %d, sets of %v: %v, %v, want %v", i, level, got*4096, err, want)
			}
		}
	}
}

// checkChoice checks that a choice answers as many as it says.
func checkChoice(t *testing.T, predictions []pipeline.Prediction, c Choice, err error) {
	t.Helper()
	answered := 0
	for _, p := range predictions {
		if (Decision{Confidence: c.Confidence}).Unsure(p.Probabilities) == "" {
			answered++
		}
	}
	if err == nil && answered != c.Answered {
		t.Errorf("%+v answers %d", c, answered)
	}
}

// rows are predictions of two classes by the probability of the second, all of them of
// the first class.
func rows(seconds ...float32) (all []pipeline.Prediction) {
	for i, p := range seconds {
		all = append(all, pipeline.Prediction{Sample: pipeline.Sample{ID: strconv.Itoa(i)}, Probabilities: []float32{1 - p, p}})
	}
	return all
}

func TestChoicesAtTheEdges(t *testing.T) {
	nan := float32(math.NaN())
	same := rows(make([]float32, 300)...)
	wrong := rows(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	for name, c := range map[string]struct {
		predictions []pipeline.Prediction
		abstention  Abstention
		answered    int
		fault       string
	}{
		"no images":             {nil, Abstention{Risk: 0.1}, 0, "no samples"},
		"NaN":                   {rows(0.1, nan), Abstention{Risk: 0.1}, 0, "NaN"},
		"too few":               {rows(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), Abstention{Risk: 0.02}, 0, "11 images of the validation part are too few, even without a mistake: it takes at least 183"},
		"always wrong":          {wrong, Abstention{Risk: 0.9}, 0, "too often wrong where it is confident"},
		"any risk will do":      {wrong, Abstention{Risk: 1}, 12, ""},
		"all equally confident": {same, Abstention{Risk: 0.02}, 300, ""},
		"answer all":            {rows(0.1, 0.2, 0.9), Abstention{Coverage: 1}, 3, ""},
		"too few for coverage":  {rows(0.1, 0.2, 0.9), Abstention{Coverage: 0.9}, 3, ""},
		"ties are answered":     {rows(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.5, 0.5), Abstention{Coverage: 0.1}, 9, ""},
	} {
		got, err := ChooseConfidence(c.predictions, Decision{}, c.abstention)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: got error %v, want %q", name, err, c.fault)
		}
		if got.Answered != c.answered {
			t.Errorf("%s: answers %d, want %d", name, got.Answered, c.answered)
		}
		checkChoice(t, c.predictions, got, err)
	}
	for name, c := range map[string]struct {
		predictions []pipeline.Prediction
		fault       string
	}{
		"no images":                   {nil, "0 images of the validation part are too few: it takes at least 19"},
		"too few":                     {same[:18], "18 images of the validation part are too few: it takes at least 19"},
		"enough":                      {same[:19], ""},
		"the truth has probability 0": {append(wrong, wrong...), "is 0 for too many images"},
		"NaN":                         {append(rows(nan), same...), "NaN"},
	} {
		_, err := ChooseSet(c.predictions, 0.95)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("sets, %s: got error %v, want %q", name, err, c.fault)
		}
	}
}

// With a threshold, confidence grows with the distance from it on both sides.
func TestConfidenceFollowsTheThreshold(t *testing.T) {
	d := Decision{Threshold: 0.2}
	for p, want := range map[float32]float32{0: 1, 0.2: 0.5, 1: 1, 0.5: 0.8, 0.1: 0.6923077} {
		if got := d.ConfidenceOf([]float32{1 - p, p}); math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("at %v: %v, want %v", p, got, want)
		}
	}
	if got := (Decision{Threshold: 1}).ConfidenceOf([]float32{0, 1}); got != 0.5 {
		t.Errorf("on a threshold of 1: %v", got)
	}
	if nan := float32(math.NaN()); (Decision{Confidence: 0.1}).Unsure([]float32{nan, nan}) != UnsureOfClass {
		t.Error("NaN is answered")
	}
}

func TestSetsHaveThePredictedClass(t *testing.T) {
	for _, c := range []struct {
		set  float64
		want int
	}{{0.9, 1}, {0.3, 1}, {0.2, 2}, {0.1, 3}} {
		d := Decision{Set: c.set}
		row := []float32{0.25, 0.6, 0.15}
		if got := d.SetOf(row); len(got) != c.want || got[0] != 1 {
			t.Errorf("set of %v: %v", c.set, got)
		}
		if size, has := d.setSize(row, 1); size != c.want || !has {
			t.Errorf("set of %v: size %d, %v", c.set, size, has)
		}
	}
}

func TestFiguresOfAbstention(t *testing.T) {
	table := Table{Classes: []string{"cat", "dog"}, Predictions: rows(0.1, 0.2, 0.3, 0.9)}
	table.Predictions[2].Sample.Label = 1
	r, err := Evaluate(t.Context(), table, Options{Decision: Decision{Confidence: 0.75, Set: 0.25}, Resamples: 20})
	if err != nil {
		t.Fatal(err)
	}
	// Most confident first: right, wrong, right, wrong; the first two are tied.
	for name, want := range map[string]float64{
		"coverage": 0.75, "selective_risk": 1. / 3, "set_size": 1.25, "set_coverage": 0.75, "coverage[cat]": 1, "coverage[dog]": 0,
		"aurc": (0.5 + 0.5 + 1./3 + 0.5) / 4,
	} {
		if m, err := r.Metric(name); err != nil || math.Abs(m.Value-want) > 1e-12 {
			t.Errorf("%s is %v, want %v: %v", name, m.Value, want, err)
		}
	}
	if m, _ := r.Metric("selective_risk"); m.Upper != wilson(1./3, 3)[1] {
		t.Errorf("the interval of selective_risk is not that of 3 answers: %v", m)
	}
	curve, err := RiskCurve(table, Decision{})
	if want := []RiskPoint{{0.5, 0.5, 0.9}, {0.75, 1. / 3, 0.8}, {1, 0.5, 0.7}}; err != nil || len(curve) != len(want) || curve[1] != want[1] {
		t.Errorf("the curve is %v, want %v: %v", curve, want, err)
	}
	// Nothing answered: there is no risk, and a gate on it fails.
	if r, err = Evaluate(t.Context(), table, Options{Decision: Decision{Confidence: 1}, Resamples: 20}); err != nil || r.Value("coverage") != 0 {
		t.Errorf("%v: coverage %v", err, r.Value("coverage"))
	}
	gate := Gate{"selective_risk", 0.5, true}
	if o, err := gate.Check(r, false); err != nil || o.Passed || !strings.Contains(o.String(), "undefined") {
		t.Errorf("%v, %v", o, err)
	}
	// Without a decision there are no such figures.
	if r, err = Evaluate(t.Context(), table, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := gate.Check(r, false); pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), "answers every image") {
		t.Errorf("got error %v", err)
	}
	if gate.Lacks(false, true) == nil || gate.Lacks(true, false) != nil || (Gate{Name: "set_size"}).Lacks(true, false) == nil || (Gate{Name: "recall[cat]"}).Lacks(false, false) != nil {
		t.Error("Lacks does not know what a gate needs")
	}
}

// A model that abstains can be compared with one that does not, by what both have.
func TestCompareWithAndWithoutAbstention(t *testing.T) {
	table := sampleTable()
	c, err := Compare(t.Context(), table, table, choosy(), Decision{}, Options{Resamples: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Differences {
		if strings.HasPrefix(d.Name, "coverage") || d.Difference != 0 {
			t.Errorf("%+v", d)
		}
	}
}

func TestDecisionIsReadBack(t *testing.T) {
	for _, d := range []Decision{{}, {Temperature: 2}, {Confidence: 0.75}, {Set: 0.125}, {Temperature: 0.5, Threshold: 0.25, Confidence: 0.75, Set: 0.125}} {
		var b strings.Builder
		table := Table{Classes: []string{"cat", "dog"}, Predictions: rows(0.1, 0.9)}
		if err := table.Write(&b, d); err != nil {
			t.Fatal(err)
		}
		if back, err := ReadTable(strings.NewReader(b.String()), "it"); err != nil || back.Decision != d {
			t.Errorf("%+v is read as %+v: %v\n%s", d, back.Decision, err, b.String())
		}
	}
}

func FuzzParseAbstention(f *testing.F) {
	for _, seed := range []string{"risk=0.02", "coverage=0.9", "risk=0", "risk=1", "coverage=1", "coverage=0", "risk=NaN", "risk=-1", "risk", "", "=0.1", "Risk=0.1", "risk=0x1p-3", "risk=1e-400"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAbstention(text)
		if err != nil {
			if a != (Abstention{}) || pipeline.OptionOf(err) != "abstain" {
				t.Errorf("%q: %+v, %v", text, a, err)
			}
			return
		}
		if one := (a.Risk > 0) != (a.Coverage > 0); !one || !(a.Risk+a.Coverage <= 1) {
			t.Errorf("%q is %+v", text, a)
		}
		if again, err := ParseAbstention(a.String()); err != nil || again != a {
			t.Errorf("%q is %v, which is %v: %v", text, a, again, err)
		}
	})
}
