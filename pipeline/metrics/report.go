package metrics

import (
	"math"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Metric is one named metric of a report with its 95% interval. Both bounds are
// NaN if it has none.
type Metric struct {
	Name         string
	Value        float64
	Lower, Upper float64
	Method       string // of the interval: "wilson", "bootstrap", "student", "deviation" (one standard deviation over seeds); empty: there is none
}

// undefined is a metric without a value.
func undefined(name string) Metric {
	return Metric{Name: name, Value: math.NaN(), Lower: math.NaN(), Upper: math.NaN()}
}

// Value is an overall metric, or NaN if the report lacks it.
func (r Report) Value(name string) float64 { return r.Values.of(name) }

// Value is a metric of the class, such as recall, or NaN if the report lacks it.
func (c Class) Value(name string) float64 { return c.Values.of(name) }

func (v Values) of(name string) float64 {
	if value, ok := v[name]; ok {
		return value
	}
	return math.NaN()
}

// Metrics lists what a report has: the overall metrics, then those of each
// class, such as recall[cat].
func (r Report) Metrics() []Metric {
	var all []Metric
	for _, c := range columns(r.classNames(), r.TopK) {
		if m, ok := r.metric(c); ok {
			all = append(all, m)
		}
	}
	return all
}

func (r Report) metric(c column) (m Metric, ok bool) {
	m = undefined(c.name)
	if c.index >= 0 {
		m.Value, ok = r.Classes[c.index].Values[c.definition.name]
	} else {
		m.Value, ok = r.Values[c.name]
	}
	if interval, has := r.Intervals[c.name]; has {
		m.Lower, m.Upper, m.Method = interval[0], interval[1], "bootstrap"
		if c.method() == proportion {
			m.Method = "wilson"
		}
	}
	return m, ok
}

// Metric finds a metric by its name. The error for an unknown name lists the
// known ones.
func (r Report) Metric(name string) (Metric, error) {
	c, err := find(name, r.classNames(), r.TopK)
	if err != nil {
		return Metric{}, err
	}
	m, ok := r.metric(c)
	if !ok && c.needs != nil && !c.needs(r.Decision) {
		return Metric{}, c.lacks(r.Decision)
	}
	if !ok {
		return Metric{}, pipeline.Errorf(pipeline.BadData, "metric %q: is missing from this evaluation, which another version of tftl made", name)
	}
	return m, nil
}

func (r Report) classNames() []string {
	var names []string
	for _, c := range r.Classes {
		names = append(names, c.Name)
	}
	return names
}

// find is a metric of reports on these classes. The error for an unknown name
// lists the known ones.
func find(name string, classes []string, topK int) (column, error) {
	all := columns(classes, topK)
	if i := slices.IndexFunc(all, func(c column) bool { return c.name == name }); i >= 0 {
		return all[i], nil
	}
	if class, ok := ofClass(name); ok {
		var known []string
		for _, c := range classes {
			known = append(known, display(c, nameRunes))
		}
		return column{}, pipeline.Errorf(pipeline.BadUsage, "metric %q: the model has no class %q, only %s", name, class, some(known, 50))
	}
	known := overallNames(topK)
	for _, of := range ClassMetrics() {
		known = append(known, of+"[CLASS]")
	}
	return column{}, pipeline.Errorf(pipeline.BadUsage, "metric %q: must be one of %s", name, strings.Join(known, ", "))
}

// ofClass is the class of a name such as recall[cat]. ok is false if no class
// has such a metric.
func ofClass(name string) (class string, ok bool) {
	of, class, _ := strings.Cut(name, "[")
	class, ok = strings.CutSuffix(class, "]")
	return class, ok && slices.Contains(ClassMetrics(), of)
}

// Confusion is how many samples of one class were predicted to be of another.
// Both are indexes of Report.Classes.
type Confusion struct{ Label, Predicted, Count int }

// Confusions lists the pairs of classes that were confused, the most frequent
// first.
func (r Report) Confusions() []Confusion {
	var pairs []Confusion
	for i, counts := range r.ConfusionMatrix {
		for j, n := range counts {
			if i != j && n > 0 {
				pairs = append(pairs, Confusion{i, j, n})
			}
		}
	}
	// Stable, so that equal counts stay in the order of the classes.
	slices.SortStableFunc(pairs, func(a, b Confusion) int { return b.Count - a.Count })
	return pairs
}
