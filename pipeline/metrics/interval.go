package metrics

import (
	"math"
	"slices"
)

// Interval is the lower and the upper bound of a 95% interval.
type Interval [2]float64

// missing is the interval of a metric that has none.
func missing() Interval { return Interval{math.NaN(), math.NaN()} }

// exists is also false for infinite bounds: an infinite loss has no interval.
func (i Interval) exists() bool { return !math.IsNaN(i[1]-i[0]) && !math.IsInf(i[1]-i[0], 0) }

// rounding is more than the rounding error of any metric, and less than one
// sample changes it: a mean recall of 0.9 on paper may be 0.8999999999999999.
const rounding = 1e-12

// z is the 0.975 quantile of the normal distribution.
const z = 1.959963984540054

// wilson is Wilson's score interval of a proportion of n samples. There is none
// without samples.
func wilson(p, n float64) Interval {
	if !(n > 0) {
		return missing()
	}
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	i := Interval{centre - half, centre + half}
	if p == 0 { // exactly 0, which rounding would miss
		i[0] = 0
	}
	if p == 1 {
		i[1] = 1
	}
	return i
}

// scored is Wilson's interval of a metric that lies between lowest and highest
// but is not a plain proportion: that of a proportion of as many samples as would
// make it vary as much as the metric varies over its resamples. Percentiles of
// the resamples would be too narrow near the ends, and would have no width at
// all for a model without mistakes; there the metric counts as a proportion of
// samples.
func scored(value, lowest, highest float64, drawn []float64, samples float64) Interval {
	if math.IsNaN(value) || len(drawn) < 2 {
		return missing()
	}
	width := highest - lowest
	p := (value - lowest) / width
	variance := variance(drawn) / (width * width)
	if p > rounding && p < 1-rounding && variance > rounding*rounding {
		samples = p * (1 - p) / variance
	}
	i := wilson(p, samples)
	return Interval{lowest + width*i[0], lowest + width*i[1]}
}

// paired is the interval of a difference of two models: a normal one with the
// standard deviation of the resamples, which holds better for differences than
// their quantiles do. For samples that count or do not, it is as if the models
// differed on one more sample (Agresti and Min's addition): if they never
// differ, neither do the resamples, but that does not make the models equal.
func paired(difference float64, drawn []float64, samples float64) Interval {
	if math.IsNaN(difference) || len(drawn) < 2 || !(samples > 0) {
		return missing()
	}
	half := z * math.Sqrt(variance(drawn)+1/(samples*samples))
	return Interval{difference - half, difference + half}
}

// accelerated is Efron's BCa interval: quantiles of a metric's resamples,
// corrected for their bias and, through the acceleration, for how the metric's
// spread changes with its value.
func accelerated(value, acceleration float64, drawn []float64) Interval {
	if math.IsNaN(value) || len(drawn) == 0 {
		return missing()
	}
	slices.Sort(drawn)
	below := 0.0
	for _, v := range drawn {
		if v < value {
			below++
		} else if v == value {
			below += 0.5
		}
	}
	// If rounding puts all of them on one side, the bias is still finite.
	n := float64(len(drawn))
	bias := math.Sqrt2 * math.Erfinv(2*min(max(below, 0.5), n-0.5)/n-1)
	bound := func(z float64) float64 {
		shifted := bias + z
		return quantile(drawn, normal(bias+shifted/max(1-acceleration*shifted, 0.01)))
	}
	return Interval{bound(-z), bound(z)}
}

// accelerationOfMean is BCa's acceleration of the mean of values: a sixth of
// the skewness of that mean.
func accelerationOfMean(values []float64) float64 {
	var sum, squares, cubes float64
	for _, v := range values {
		sum += v
	}
	for _, v := range values {
		d := v - sum/float64(len(values))
		squares, cubes = squares+d*d, cubes+d*d*d
	}
	if !(squares > 0) {
		return 0
	}
	return cubes / (6 * math.Pow(squares, 1.5))
}

func variance(values []float64) float64 {
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	for _, v := range values {
		d := v - sum/float64(len(values))
		squares += d * d
	}
	return squares / float64(len(values)-1)
}

// normal is the normal distribution function: the share below x.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// quantile interpolates between sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := min(max(q, 0), 1) * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
