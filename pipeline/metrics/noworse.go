package metrics

import (
	"fmt"
	"math"
	"strconv"

	"tftl/pipeline"
)

// NoWorse is a gate on a comparison: one metric of B may be worse than A's by at
// most a margin, at the pessimistic end of the difference's interval. A model
// must pass it before it replaces another.
type NoWorse struct {
	Metric string
	Margin float64
}

// Verdict is the result of a NoWorse gate.
type Verdict struct {
	NoWorse
	Difference Difference
	Worst      float64 // how much worse B may be; below 0: it is better
	Passed     bool
}

// Check holds a comparison to the gate. The error for a metric that it lacks
// lists those it has.
func (g NoWorse) Check(c Comparison) (Verdict, error) {
	if _, err := find(g.Metric, c.B.classNames(), c.B.TopK); err != nil {
		return Verdict{}, pipeline.Errorf(pipeline.KindOf(err), "%s %s: %w", pipeline.Option("metric"), g.Metric, err)
	}
	v := Verdict{NoWorse: g}
	for _, d := range c.Differences {
		if d.Name == g.Metric {
			v.Difference = d
		}
	}
	v.Worst = -v.Difference.Lower
	if LowerIsBetter(g.Metric) {
		v.Worst = v.Difference.Upper
	}
	v.Passed = v.Worst <= g.Margin+rounding
	return v, nil
}

// Demand is the gate as a condition: "accuracy no worse by more than 0.01".
func (g NoWorse) Demand() string {
	return fmt.Sprintf("%s no worse by more than %s", display(g.Metric, gateRunes), exact(g.Margin))
}

// String says in one line how the metric changed and whether that is enough.
func (v Verdict) String() string {
	found := fmt.Sprintf("%s changed by %s", display(v.Metric, gateRunes), v.Difference)
	switch margin := exact(v.Margin); {
	case math.IsNaN(v.Worst):
		return found + ", which has no interval on these images"
	case v.Passed:
		return fmt.Sprintf("%s: no worse by more than %s", found, margin)
	default:
		return fmt.Sprintf("%s: it may be worse by %s, more than %s", found, strconv.FormatFloat(v.Worst, 'f', 4, 64), margin)
	}
}

// String is the difference with its interval: "+0.0100 (-0.002 to +0.022)".
func (d Difference) String() string {
	switch {
	case !finite(d.Difference):
		return decimals(d.Difference)
	case !finite(d.Lower) || !finite(d.Upper):
		return signed(d.Difference, 4)
	}
	return signed(d.Difference, 4) + " (" + signed(d.Lower, 3) + " to " + signed(d.Upper, 3) + ")"
}
