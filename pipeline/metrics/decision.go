package metrics

import (
	"cmp"
	"math"
	"slices"

	"tftl/pipeline"
)

// Decision is how the outputs of a model become a class, and how sure they
// are taken to be. The zero value takes them as they are and the most likely
// class.
type Decision struct {
	// Temperature divides the logits: above 1 it makes a model less sure. 0 and 1 leave them.
	Temperature     float64 `json:"temperature,omitempty"`
	TemperatureFrom string  `json:"temperature_from,omitempty"` // where it comes from, in words
	// Threshold, of two classes alone, is the probability from which on it is the second. 0: the most likely.
	Threshold     float64 `json:"threshold,omitempty"`
	ThresholdFrom string  `json:"threshold_from,omitempty"`
}

// MostTemperature is the largest temperature that a decision may have, and one
// over it the smallest: beyond them float32 has no probabilities.
const MostTemperature = 1000

// Check refuses what makes no decision between so many classes.
func (d Decision) Check(classes int) error {
	switch t := d.Temperature; {
	case t != 0 && !(t >= 1.0/MostTemperature && t <= MostTemperature):
		return pipeline.Errorf(pipeline.BadUsage, "temperature %v: must be from %v to %d", t, 1.0/MostTemperature, MostTemperature)
	case !(d.Threshold >= 0 && d.Threshold <= 1):
		return pipeline.Errorf(pipeline.BadUsage, "threshold %v: must be from 0 to 1", d.Threshold)
	case d.Threshold > 0 && classes != 2:
		return pipeline.Errorf(pipeline.BadUsage, "threshold %v: is for two classes, and there are %d", d.Threshold, classes)
	}
	return nil
}

// Calibrate is the predictions at the decision's temperature; those given are
// left as they are. A model without logits has its probabilities rescaled by
// their logarithms, which comes to the same.
func (d Decision) Calibrate(predictions []pipeline.Prediction) []pipeline.Prediction {
	calibrated := make([]pipeline.Prediction, len(predictions))
	for i, p := range predictions {
		calibrated[i] = d.calibrate(p)
	}
	return calibrated
}

func (d Decision) calibrate(p pipeline.Prediction) pipeline.Prediction {
	if d.Temperature == 0 || d.Temperature == 1 {
		return p
	}
	scaled := make([]float32, len(p.Probabilities))
	if p.Logits != nil {
		for i, z := range p.Logits {
			scaled[i] = float32(float64(z) / d.Temperature)
		}
		p.Logits, p.Probabilities = scaled, pipeline.Softmax(scaled)
		return p
	}
	for i, q := range p.Probabilities {
		scaled[i] = float32(math.Log(float64(q)) / d.Temperature)
	}
	p.Probabilities = pipeline.Softmax(scaled)
	return p
}

// Class is the class that the decision makes of a row of probabilities.
func (d Decision) Class(probabilities []float32) int {
	if d.Threshold == 0 || len(probabilities) != 2 {
		return argmax(probabilities)
	}
	// In float32, so that a probability that prints as 0.7 is at least 0.7.
	if probabilities[1] >= float32(d.Threshold) {
		return 1
	}
	return 0
}

// ChooseThreshold is the threshold with the best F1 of the second of two
// classes. It lies midway between two probabilities that occur; of equally
// good ones it is the nearest to 0.5, and 0.5 itself where that is one.
func ChooseThreshold(predictions []pipeline.Prediction) (float64, error) {
	positives := 0
	for _, p := range predictions {
		if len(p.Probabilities) != 2 {
			return 0, pipeline.Errorf(pipeline.BadUsage, "a threshold is for two classes, and there are %d", len(p.Probabilities))
		}
		if math.IsNaN(float64(p.Probabilities[1])) {
			return 0, pipeline.Errorf(pipeline.BadModel, "sample %q: its probability is not a number", p.Sample.ID)
		}
		if p.Sample.Label == 1 {
			positives++
		}
	}
	if positives == 0 {
		return 0, pipeline.Errorf(pipeline.BadData, "no sample of the second class to choose a threshold by")
	}
	sorted := slices.Clone(predictions)
	slices.SortStableFunc(sorted, func(a, b pipeline.Prediction) int {
		return cmp.Compare(b.Probabilities[1], a.Probabilities[1])
	})
	best, bestF1, hits := 0.5, -1.0, 0
	for i, p := range sorted {
		if p.Sample.Label == 1 {
			hits++
		}
		score, next := p.Probabilities[1], float32(0)
		if i+1 < len(sorted) {
			next = sorted[i+1].Probabilities[1]
		}
		if score == next || score <= 0 { // a threshold of 0 is none
			continue
		}
		threshold := between(next, score)
		f1 := ratio(2*hits, positives+i+1)
		if f1 > bestF1 || f1 == bestF1 && math.Abs(threshold-0.5) < math.Abs(best-0.5) {
			best, bestF1 = threshold, f1
		}
	}
	return best, nil
}

// between is a threshold that lower misses and upper reaches.
func between(lower, upper float32) float64 {
	if lower < 0.5 && 0.5 <= upper {
		return 0.5
	}
	middle := lower + (upper-lower)/2
	if middle <= lower {
		middle = upper
	}
	return float64(middle)
}
