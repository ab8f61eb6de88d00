package metrics

import (
	"cmp"
	"math"
	"slices"

	"tftl/pipeline"
)

// Decision turns the outputs of a model into calibrated probabilities and a
// class. The zero value leaves the probabilities alone and picks the most likely
// class.
type Decision struct {
	// Temperature divides the logits: above 1 it makes a model less certain. 0 and 1 change nothing.
	Temperature     float64 `json:"temperature,omitempty"`
	TemperatureFrom string  `json:"temperature_from,omitempty"` // its source, in words
	// Threshold, for two classes only, is the lowest probability that picks the second. 0: the most likely.
	Threshold     float64 `json:"threshold,omitempty"`
	ThresholdFrom string  `json:"threshold_from,omitempty"`
	// Confidence is the lowest that gets an answer. 0: everything is answered.
	Confidence     float64 `json:"confidence,omitempty"`
	ConfidenceFrom string  `json:"confidence_from,omitempty"`
	Risk           float64 `json:"risk,omitempty"` // that was promised; 0: none was
	// Set is the lowest probability of the classes in a prediction set. 0: there are no sets.
	Set     float64 `json:"set_probability,omitempty"`
	SetFrom string  `json:"set_from,omitempty"`
	// Novelty is the distance from the training images up to which an image is familiar:
	// that of pipeline.Novelty. 0: all are.
	Novelty     float64 `json:"novelty,omitempty"`
	NoveltyFrom string  `json:"novelty_from,omitempty"`
}

// MostTemperature is the largest temperature of a decision, and 1 divided by it
// the smallest: beyond them float32 probabilities become useless.
const MostTemperature = 1000

// Check returns an error if the decision does not work for this many classes.
func (d Decision) Check(classes int) error {
	switch t := d.Temperature; {
	case t != 0 && !(t >= 1.0/MostTemperature && t <= MostTemperature):
		return pipeline.Errorf(pipeline.BadUsage, "temperature %v: must be from %v to %d", t, 1.0/MostTemperature, MostTemperature)
	case !(d.Threshold >= 0 && d.Threshold <= 1):
		return pipeline.Errorf(pipeline.BadUsage, "threshold %v: must be from 0 to 1", d.Threshold)
	case !(d.Confidence >= 0 && d.Confidence <= 1):
		return pipeline.Errorf(pipeline.BadUsage, "confidence %v: must be from 0 to 1", d.Confidence)
	case !(d.Set >= 0 && d.Set <= 1):
		return pipeline.Errorf(pipeline.BadUsage, "set probability %v: must be from 0 to 1", d.Set)
	case !(d.Novelty >= 0 && d.Novelty <= 3):
		return pipeline.Errorf(pipeline.BadUsage, "novelty %v: must be from 0 to 3", d.Novelty)
	case d.Threshold > 0 && classes != 2:
		return pipeline.Errorf(pipeline.BadUsage, "threshold %v: needs two classes, not %d", d.Threshold, classes)
	}
	return nil
}

// Calibrate returns the predictions at the decision's temperature and leaves the
// given ones alone. Without logits it rescales the logarithms of the
// probabilities, which comes to the same.
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

// Class is the predicted class for a row of probabilities.
func (d Decision) Class(probabilities []float32) int {
	if d.Threshold == 0 || len(probabilities) != 2 {
		return argmax(probabilities)
	}
	// In float32, so that a probability that prints as 0.7 reaches 0.7.
	if probabilities[1] >= float32(d.Threshold) {
		return 1
	}
	return 0
}

// ChooseThreshold is the threshold with the best F1 for the second of two
// classes. It lies midway between two probabilities that occur. Of equally good
// ones it is the nearest to 0.5, or 0.5 itself if that is one of them.
func ChooseThreshold(predictions []pipeline.Prediction) (float64, error) {
	positives := 0
	for _, p := range predictions {
		if len(p.Probabilities) != 2 {
			return 0, pipeline.Errorf(pipeline.BadUsage, "a threshold needs two classes, not %d", len(p.Probabilities))
		}
		if math.IsNaN(float64(p.Probabilities[1])) {
			return 0, pipeline.Errorf(pipeline.BadModel, "sample %q: its probability is NaN", p.Sample.ID)
		}
		if p.Sample.Label == 1 {
			positives++
		}
	}
	if positives == 0 {
		return 0, pipeline.Errorf(pipeline.BadData, "no sample of the second class to choose a threshold on")
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
		if score == next || score <= 0 { // 0 means no threshold
			continue
		}
		threshold := midway(next, score)
		f1 := ratio(2*hits, positives+i+1)
		if f1 > bestF1 || f1 == bestF1 && math.Abs(threshold-0.5) < math.Abs(best-0.5) {
			best, bestF1 = threshold, f1
		}
	}
	return best, nil
}

// midway is a threshold above lower that upper reaches.
func midway(lower, upper float32) float64 {
	if lower < 0.5 && 0.5 <= upper {
		return 0.5
	}
	middle := lower + (upper-lower)/2
	if middle <= lower {
		middle = upper
	}
	return float64(middle)
}
