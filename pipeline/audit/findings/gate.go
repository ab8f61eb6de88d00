package findings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// Gate is the most that a number of a Summary may be.
type Gate struct {
	Name  string
	Bound float64
}

// ParseGate reads NAME=X, the value of the option max.
func ParseGate(text string) (Gate, error) {
	option := pipeline.Option("max")
	name, number, ok := strings.Cut(text, "=")
	if !ok {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %q: must be NAME=X", option, text)
		return Gate{}, pipeline.WithHint(err, "for example %s label_errors=0.02 %[1]s leaks=0", option)
	}
	g := Gate{Name: strings.TrimSpace(name)}
	if !slices.Contains(Metrics(), g.Name) {
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %s: %q: must be one of %s", option, text, g.Name, strings.Join(Metrics(), ", "))
	}
	var err error
	g.Bound, err = strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case err != nil || math.IsNaN(g.Bound) || math.IsInf(g.Bound, 0) || g.Bound < 0:
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %s: %q: must be a number that is 0 or more", option, text, number)
	case g.Name == labelErrors && g.Bound > 1:
		return g, pipeline.Errorf(pipeline.BadUsage, "%s %s: label_errors is a share of the images, never above 1", option, text)
	}
	return g, nil
}

// String is the gate as a condition.
func (g Gate) String() string { return g.Name + " <= " + short(g.Bound) }

// Result is what a gate compared.
type Result struct {
	Name   string  `json:"name"`
	Bound  float64 `json:"bound"`
	Value  float64 `json:"value"`
	Passed bool    `json:"passed"`
}

// Check holds a summary to the gate.
func (g Gate) Check(s Summary) Result {
	v := s.Value(g.Name)
	return Result{g.Name, g.Bound, v, v <= g.Bound+1e-12}
}

// Gate is the one that was checked.
func (r Result) Gate() Gate { return Gate{r.Name, r.Bound} }

// String says in a line what was compared.
func (r Result) String() string {
	relation := "above"
	if r.Passed {
		relation = "at most"
	}
	return fmt.Sprintf("%s %s is %s %s", r.Name, short(r.Value), relation, short(r.Bound))
}

// short is a number with four digits, or as many as a whole number has.
func short(v float64) string {
	if v == math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
