package metrics

import (
	"math"
	"slices"
)

// Interval is the lower and the upper bound of a 95% interval.
type Interval [2]float64

// z is the 0.975 quantile of the normal distribution.
const z = 1.959963984540054

// wilson is Wilson's score interval of a proportion of n samples. n need not be
// whole; without samples there is none, and both bounds are NaN.
func wilson(p, n float64) Interval {
	if !(n > 0) {
		return Interval{math.NaN(), math.NaN()}
	}
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return Interval{max(centre-half, 0), min(centre+half, 1)}
}

// percentile is the interval between the quantiles of resampled values, moved
// for their bias: where more than half of them are below the value itself,
// they are as a whole too low.
func percentile(value float64, drawn []float64) Interval {
	if len(drawn) == 0 || math.IsNaN(value) {
		return Interval{math.NaN(), math.NaN()}
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
	bias := math.Sqrt2 * math.Erfinv(2*below/float64(len(drawn))-1)
	return Interval{quantile(drawn, normal(2*bias-z)), quantile(drawn, normal(2*bias+z))}
}

func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// quantile of sorted values, between two of them where it lies there.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// intervals are those of the report's figures, by name; a figure that is not a
// number has none.
func (s *sheet) intervals(r Report, o Options) map[string]Interval {
	drawn := resample(len(s.label), o.Resamples, o.Seed, func(times []uint8) []float64 {
		again := s.count(times)
		return again.values()
	})
	counts := r.counts()
	intervals := map[string]Interval{}
	values := r.values()
	for i, name := range r.names() {
		interval := Interval{math.NaN(), math.NaN()}
		if n, ok := counts[name]; ok {
			interval = wilson(values[i], n)
		} else {
			interval = percentile(values[i], column(drawn, i))
		}
		if !math.IsNaN(interval[0]) && !math.IsNaN(interval[1]) {
			intervals[name] = interval
		}
	}
	return intervals
}

// counts are the numbers of samples that proportions are of, by name.
func (r Report) counts() map[string]float64 {
	counts := map[string]float64{}
	for _, name := range r.overall() {
		if isProportion(name) {
			counts[name] = float64(r.Samples)
		}
	}
	for i, c := range r.Classes {
		predicted := 0
		for _, row := range r.ConfusionMatrix {
			predicted += row[i]
		}
		counts["recall["+c.Name+"]"] = float64(c.Support)
		counts["precision["+c.Name+"]"] = float64(predicted)
	}
	return counts
}
