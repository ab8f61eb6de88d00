package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// Gate is a demand on one figure of a report.
type Gate struct {
	Name  string
	Bound float64
	Max   bool // the figure may be at most Bound, and not at least
}

// ParseGate reads NAME=X, as --min and --max have it. A name that no report has
// a figure of is an error; whether the model has a class of it, Known tells.
func ParseGate(text string, most bool) (Gate, error) {
	g := Gate{Max: most}
	at := strings.LastIndexByte(text, '=') // a class may have one in its name
	if at < 1 {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %q: must be NAME=X", g.flag(), text)
		return g, pipeline.WithHint(err, "such as --min accuracy=0.95 --min recall[cat]=0.9 --max ece=0.05")
	}
	var err error
	g.Name = strings.TrimSpace(text[:at])
	g.Bound, err = strconv.ParseFloat(strings.TrimSpace(text[at+1:]), 64)
	if err != nil || math.IsNaN(g.Bound) || math.IsInf(g.Bound, 0) {
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %q: %q is no number", g.flag(), text, text[at+1:])
	}
	if err := g.Known(nil, 0); err != nil {
		return g, err
	}
	if math.Abs(g.Bound) > largest(g.Name) {
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %q: no such figure is ever %v", g.flag(), text, g.Bound)
	}
	return g, nil
}

// largest is the most that a figure can be: most are fractions.
func largest(name string) float64 {
	switch name {
	case "loss":
		return math.Inf(1)
	case "brier":
		return 2
	}
	return 1
}

// smallest is the least that a figure can be.
func smallest(name string) float64 {
	if name == "kappa" || name == "mcc" {
		return -1
	}
	return 0
}

// Known is an error where no report on these classes has the figure. Where the
// classes are not known yet, which class it is of is not looked at, nor how many
// classes a top-k accuracy counts.
func (g Gate) Known(classes []string, topK int) error {
	r := Report{TopK: effectiveTopK(topK, len(classes))}
	for _, name := range classes {
		r.Classes = append(r.Classes, Class{Name: name})
	}
	of, _, _ := strings.Cut(g.Name, "[")
	perClass := strings.HasSuffix(g.Name, "]") && slices.Contains(classFigures(), of)
	if classes == nil && (perClass || strings.HasPrefix(g.Name, "top_")) {
		return nil
	}
	_, err := r.Figure(g.Name)
	return g.wrap(err)
}

func (g Gate) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", g.flag(), g, err)
}

// Outcome is what became of a gate.
type Outcome struct {
	Gate   Gate
	Figure Figure
	// Value is what was compared with the bound: the figure, or the pessimistic
	// end of its interval.
	Value  float64
	Passed bool
}

// Check holds a report to the gate. Where it is pessimistic, that end of the
// figure's interval is compared which is nearer to failing: the lower one for a
// least value, the upper one for a most. A figure that is undefined, or has no
// interval where one is needed, fails.
func (g Gate) Check(r Report, pessimistic bool) (Outcome, error) {
	f, err := r.Figure(g.Name)
	if err != nil {
		return Outcome{}, g.wrap(err)
	}
	o := Outcome{Gate: g, Figure: f, Value: f.Value}
	switch {
	case pessimistic && g.Max:
		o.Value = f.Upper
	case pessimistic:
		o.Value = f.Lower
	}
	if g.Max {
		o.Passed = o.Value <= g.Bound+rounding
	} else {
		o.Passed = o.Value >= g.Bound-rounding
	}
	return o, nil
}

func (g Gate) flag() string {
	if g.Max {
		return "--max"
	}
	return "--min"
}

// String is the gate as it was asked for, but for the flag.
func (g Gate) String() string { return display(g.Name, gateRunes) + "=" + exact(g.Bound) }

// Demand is the gate as a condition: accuracy >= 0.95.
func (g Gate) Demand() string {
	relation := ">="
	if g.Max {
		relation = "<="
	}
	return display(g.Name, gateRunes) + " " + relation + " " + exact(g.Bound)
}

const gateRunes = 60 // longest name of a figure in a gate's line

// String says in a line what was compared and how it came out.
func (o Outcome) String() string {
	name, value := display(o.Gate.Name, gateRunes), beside(o.Figure.Value, o.Gate.Bound)
	end, relation := "lower", "below"
	switch {
	case o.Gate.Max && o.Passed:
		end, relation = "upper", "at most"
	case o.Gate.Max:
		end, relation = "upper", "above"
	case o.Passed:
		relation = "at least"
	}
	switch {
	case math.IsNaN(o.Figure.Value):
		return name + " is undefined on these samples"
	case math.IsNaN(o.Value):
		return fmt.Sprintf("%s %s has no interval, and so no %s bound", name, value, end)
	}
	if f := o.Figure; !math.IsNaN(f.Lower) && !math.IsNaN(f.Upper) {
		value += fmt.Sprintf(" (%.3f to %.3f)", f.Lower, f.Upper)
	}
	if o.Value != o.Figure.Value {
		value += fmt.Sprintf(": its %s bound %s", end, beside(o.Value, o.Gate.Bound))
	}
	return fmt.Sprintf("%s %s is %s %s", name, value, relation, exact(o.Gate.Bound))
}

// beside is a value in four decimals, or in more where four would make it look
// like the bound that it is compared with.
func beside(value, bound float64) string {
	text := decimals(value)
	if rounded, err := strconv.ParseFloat(text, 64); err == nil && rounded == bound && value != bound {
		return exact(value)
	}
	return text
}

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// outcomeDocument is an Outcome as JSON has it.
type outcomeDocument struct {
	Name     string  `json:"name"`
	Bound    float64 `json:"bound"`
	Max      bool    `json:"max"`
	Value    number  `json:"value"`
	Lower    number  `json:"lower"`
	Upper    number  `json:"upper"`
	Method   string  `json:"method,omitempty"`
	Compared number  `json:"compared"`
	Passed   bool    `json:"passed"`
}

// MarshalJSON writes gate and figure in one object, and null for what is not finite.
func (o Outcome) MarshalJSON() ([]byte, error) {
	f := o.Figure
	return json.Marshal(outcomeDocument{
		Name: o.Gate.Name, Bound: o.Gate.Bound, Max: o.Gate.Max, Value: number(f.Value), Lower: number(f.Lower), Upper: number(f.Upper),
		Method: f.Method, Compared: number(o.Value), Passed: o.Passed,
	})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Outcome) UnmarshalJSON(data []byte) error {
	var d outcomeDocument
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	*o = Outcome{
		Gate:   Gate{Name: d.Name, Bound: d.Bound, Max: d.Max},
		Figure: Figure{Name: d.Name, Value: float64(d.Value), Lower: float64(d.Lower), Upper: float64(d.Upper), Method: d.Method},
		Value:  float64(d.Compared), Passed: d.Passed,
	}
	return nil
}
