package metrics

import (
	"math"
	"strings"
)

// MeanOver is the mean of a metric (with or without val_ before its name) over
// several models, the folds of a cross-validation, with Student's 95% interval.
// If any value is NaN there is no mean, and a single value has no interval.
//
// The models of a cross-validation share most of their training images, so
// their metrics are not independent and the interval is somewhat too narrow.
func MeanOver(name string, values []float64) Metric {
	m := undefined(name)
	n := float64(len(values))
	if n == 0 {
		return m
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	m.Value = sum / n
	if n == 1 {
		return m
	}
	half := student(len(values)-1) * math.Sqrt(variance(values)/n)
	lowest, highest := bounds(strings.TrimPrefix(name, "val_"))
	m.Lower, m.Upper, m.Method = max(m.Value-half, lowest), min(m.Value+half, highest), "student"
	return m
}

// SpreadOver is the mean of a metric over several seeds, with bounds one standard
// deviation away. If any value is NaN there is no mean, and a single value has no
// deviation.
func SpreadOver(name string, values []float64) Metric {
	m := MeanOver(name, values)
	if m.Method == "student" {
		deviation := math.Sqrt(variance(values))
		m.Lower, m.Upper, m.Method = m.Value-deviation, m.Value+deviation, "deviation"
	}
	return m
}

// bounds are the least and the most that a metric can be.
func bounds(name string) (lowest, highest float64) {
	if d, ok := define(name); ok {
		return d.min, d.max
	}
	return math.Inf(-1), math.Inf(1)
}

// student is the 0.975 quantile of Student's distribution, by Cornish and
// Fisher's expansion, which is not accurate enough for few degrees of freedom.
func student(freedom int) float64 {
	few := [...]float64{12.70620, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216}
	if freedom <= len(few) {
		return few[freedom-1]
	}
	n, z2 := float64(freedom), z*z
	return z * (1 + (z2+1)/(4*n) + ((5*z2+16)*z2+3)/(96*n*n) + (((3*z2+19)*z2+17)*z2-15)/(384*n*n*n))
}
