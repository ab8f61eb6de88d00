package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// rounding is how near to its bound a figure is held to be equal to it: a mean
// of recalls that comes to 0.9 on paper may be 0.8999999999999999.
const rounding = 1e-12

// Gate is a demand on one figure of a report.
type Gate struct {
	Name  string
	Bound float64
	Max   bool // the figure may be at most Bound, and not at least
}

// ParseGate reads NAME=X, as --min and --max have it. The name need not be that
// of a figure: Known tells.
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
	if math.Abs(g.Bound) > largest(g.Name) {
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %q: %v is nothing that %s can be", g.flag(), text, g.Bound, g.Name)
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

// Known is an error where no report on these classes has the figure. Without
// classes, the figure alone is looked at, and not which class it is of.
func (g Gate) Known(classes []string) error {
	if err := checkName(g.Name, classes); err != nil {
		return fmt.Errorf("%s %s: %w", g.flag(), g, err)
	}
	return nil
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
		return Outcome{}, fmt.Errorf("%s %s: %w", g.flag(), g, err)
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

// outcome is an Outcome as JSON has it: null where a value is not finite.
type outcome struct {
	Name     string   `json:"name"`
	Bound    float64  `json:"bound"`
	Max      bool     `json:"max"`
	Value    *float64 `json:"value"`
	Lower    *float64 `json:"lower"`
	Upper    *float64 `json:"upper"`
	Method   string   `json:"method,omitempty"`
	Compared *float64 `json:"compared"`
	Passed   bool     `json:"passed"`
}

// MarshalJSON writes figure and gate in one object.
func (o Outcome) MarshalJSON() ([]byte, error) {
	finite := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	return json.Marshal(outcome{
		Name: o.Gate.Name, Bound: o.Gate.Bound, Max: o.Gate.Max, Value: finite(o.Figure.Value), Lower: finite(o.Figure.Lower),
		Upper: finite(o.Figure.Upper), Method: o.Figure.Method, Compared: finite(o.Value), Passed: o.Passed,
	})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Outcome) UnmarshalJSON(data []byte) error {
	var from outcome
	if err := json.Unmarshal(data, &from); err != nil {
		return err
	}
	value := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	*o = Outcome{
		Gate:   Gate{Name: from.Name, Bound: from.Bound, Max: from.Max},
		Figure: Figure{Name: from.Name, Value: value(from.Value), Lower: value(from.Lower), Upper: value(from.Upper), Method: from.Method},
		Value:  value(from.Compared), Passed: from.Passed,
	}
	return nil
}
