package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// Gate is a bound on one metric of a report.
type Gate struct {
	Name  string
	Bound float64
	Max   bool // the metric may be at most Bound rather than at least
}

// ParseGate reads NAME=X, the value of the options min and max. A name that no
// report can have is an error; Known checks the class in it.
func ParseGate(text string, most bool) (Gate, error) {
	g := Gate{Max: most}
	at := strings.LastIndexByte(text, '=') // the name of a class may contain one
	if at < 1 {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %q: must be NAME=X", g.option(), text)
		return g, pipeline.WithHint(err, "for example %s accuracy=0.95 %[1]s recall[cat]=0.9 %[2]s ece=0.05", Gate{}.option(), Gate{Max: true}.option())
	}
	var err error
	g.Name = strings.TrimSpace(text[:at])
	g.Bound, err = strconv.ParseFloat(strings.TrimSpace(text[at+1:]), 64)
	if err != nil || math.IsNaN(g.Bound) || math.IsInf(g.Bound, 0) {
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %q: %q is not a number", g.option(), text, text[at+1:])
	}
	if err := g.Known(nil, 0); err != nil {
		return g, err
	}
	switch lowest, highest := bounds(g.Name); {
	case g.Bound > highest:
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %q: %s is never above %v", g.option(), text, display(g.Name, gateRunes), highest)
	case g.Bound < lowest:
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %q: %s is never below %v", g.option(), text, display(g.Name, gateRunes), lowest)
	}
	return g, nil
}

// Known returns an error if no report on these classes has the metric. If the
// classes are not known yet, the class in its name and the k of a top-k accuracy
// are not checked.
func (g Gate) Known(classes []string, topK int) error {
	_, perClass := ofClass(g.Name)
	if classes == nil && (perClass || strings.HasPrefix(g.Name, "top_")) {
		return nil
	}
	_, err := find(g.Name, classes, effectiveTopK(topK, len(classes)))
	return g.wrap(err)
}

// LacksNovelty returns an error if the gate is on novelty and a report without a check
// of it, or without images of other things, does not have the metric.
func (g Gate) LacksNovelty(checks, others bool) error {
	ofFamiliar, ofOthers := ofNovelty(g.Name)
	if ofFamiliar && !checks || ofOthers && !(checks && others) {
		return g.wrap(lacksNovelty(g.Name, checks))
	}
	return nil
}

// Lacks returns an error if a report by this decision does not have the metric: one of
// abstention or of prediction sets.
func (g Gate) Lacks(abstains, sets bool) error {
	d := Decision{}
	if abstains {
		d.Confidence = 1
	}
	if sets {
		d.Set = 1
	}
	if familiar, others := ofNovelty(g.Name); familiar || others {
		return nil
	}
	if c, _ := define(g.Name); c.needs != nil && !c.needs(d) {
		return g.wrap(column{definition: c, name: g.Name}.lacks(d))
	}
	return nil
}

func (g Gate) wrap(err error) error {
	if err == nil {
		return nil
	}
	return pipeline.Errorf(pipeline.KindOf(err), "%s %s: %w", g.option(), g, err)
}

// Outcome is the result of a gate.
type Outcome struct {
	Gate   Gate
	Metric Metric
	// Value was compared with the bound: the metric, or the pessimistic end of
	// its interval.
	Value  float64
	Passed bool
}

// Check holds a report to the gate. If it is pessimistic, it compares the end of
// the metric's interval that is closer to failing: the lower one for a minimum,
// the upper one for a maximum. A metric that is undefined, or lacks an interval
// it needs, fails.
func (g Gate) Check(r Report, pessimistic bool) (Outcome, error) {
	m, err := r.Metric(g.Name)
	if err != nil {
		return Outcome{}, g.wrap(err)
	}
	o := Outcome{Gate: g, Metric: m, Value: m.Value}
	switch {
	case pessimistic && g.Max:
		o.Value = m.Upper
	case pessimistic:
		o.Value = m.Lower
	}
	if g.Max {
		o.Passed = o.Value <= g.Bound+rounding
	} else {
		o.Passed = o.Value >= g.Bound-rounding
	}
	return o, nil
}

func (g Gate) option() pipeline.Option {
	if g.Max {
		return "max"
	}
	return "min"
}

// String is the gate as its option's value: accuracy=0.95.
func (g Gate) String() string { return display(g.Name, gateRunes) + "=" + exact(g.Bound) }

// Demand is the gate as a condition: accuracy >= 0.95.
func (g Gate) Demand() string {
	relation := ">="
	if g.Max {
		relation = "<="
	}
	return display(g.Name, gateRunes) + " " + relation + " " + exact(g.Bound)
}

const gateRunes = 60 // longest name of a metric in a gate's line

// String says in one line what was compared and the result.
func (o Outcome) String() string {
	name, value := display(o.Gate.Name, gateRunes), beside(o.Metric.Value, o.Gate.Bound)
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
	case math.IsNaN(o.Metric.Value):
		return name + " is undefined on these samples"
	case math.IsNaN(o.Value):
		return fmt.Sprintf("%s %s has no interval, so no %s bound", name, value, end)
	}
	if m := o.Metric; !math.IsNaN(m.Lower) && !math.IsNaN(m.Upper) {
		value += fmt.Sprintf(" (%.3f to %.3f)", m.Lower, m.Upper)
	}
	if o.Value != o.Metric.Value {
		value += fmt.Sprintf(": its %s bound %s", end, beside(o.Value, o.Gate.Bound))
	}
	return fmt.Sprintf("%s %s is %s %s", name, value, relation, exact(o.Gate.Bound))
}

// beside is a value with four decimals, or more if four would make it look like
// the bound that it is compared with.
func beside(value, bound float64) string {
	text := decimals(value)
	if rounded, err := strconv.ParseFloat(text, 64); err == nil && rounded == bound && value != bound {
		return exact(value)
	}
	return text
}

// outcomeDocument is an Outcome in JSON.
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

// MarshalJSON writes gate and metric as one object, with null for what is not finite.
func (o Outcome) MarshalJSON() ([]byte, error) {
	m := o.Metric
	return json.Marshal(outcomeDocument{
		Name: o.Gate.Name, Bound: o.Gate.Bound, Max: o.Gate.Max, Value: number(m.Value), Lower: number(m.Lower), Upper: number(m.Upper),
		Method: m.Method, Compared: number(o.Value), Passed: o.Passed,
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
		Metric: Metric{Name: d.Name, Value: float64(d.Value), Lower: float64(d.Lower), Upper: float64(d.Upper), Method: d.Method},
		Value:  float64(d.Compared), Passed: d.Passed,
	}
	return nil
}
