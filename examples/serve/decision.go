package main

import (
	"cmp"
	"math"
	"slices"
)

// decision is what evaluate stored with the model: how probabilities become an answer.
// The rules are those of tftl predict, in float32 where it has float32.
type decision struct {
	Temperature float64 `json:"temperature"`     // divides the logits; 0 and 1 change nothing
	Threshold   float64 `json:"threshold"`       // of two classes, the lowest probability of the second; 0: the most likely
	Confidence  float64 `json:"confidence"`      // the lowest that gets an answer; 0: everything does
	Set         float64 `json:"set_probability"` // the lowest of the classes in a prediction set; 0: no sets
	Novelty     float64 `json:"novelty"`         // above 0: images unlike the training images get no answer
}

// prediction is what the network says of one image.
type prediction struct {
	probabilities, logits []float32
	novelty               float32
}

// answer is the document that a request gets. Its fields are those of tftl predict --json.
type answer struct {
	Predicted     string             `json:"predicted"`
	Probability   float32            `json:"probability"`
	Accepted      *bool              `json:"accepted,omitempty"`
	Unsure        string             `json:"unsure,omitempty"`
	Novelty       *float32           `json:"novelty,omitempty"`
	Set           []string           `json:"set,omitempty"`
	Top           []likely           `json:"top,omitempty"`
	Probabilities map[string]float32 `json:"probabilities,omitempty"`
}

type likely struct {
	Class       string  `json:"class"`
	Probability float32 `json:"probability"`
}

// answer makes an answer of a prediction: with the top classes, or with all if top is 0.
func (d decision) answer(p prediction, labels []string, top int) answer {
	probabilities := d.calibrate(p)
	order := d.rank(probabilities)
	a := answer{Predicted: labels[order[0]], Probability: probabilities[order[0]]}
	if d.Novelty > 0 {
		a.Novelty = &p.novelty
	}
	if d.Novelty > 0 && !(p.novelty <= 1) {
		a.Unsure = "unfamiliar"
	} else if d.Confidence > 0 && !(d.confidence(probabilities) >= float32(d.Confidence)) {
		a.Unsure = "confidence"
	}
	if d.Confidence > 0 || d.Novelty > 0 {
		accepted := a.Unsure == ""
		a.Accepted = &accepted
	}
	for i, class := range order {
		if d.Set > 0 && (i == 0 || probabilities[class] >= float32(d.Set)) {
			a.Set = append(a.Set, labels[class])
		}
		if i < top {
			a.Top = append(a.Top, likely{labels[class], probabilities[class]})
		}
	}
	if top == 0 {
		a.Probabilities = make(map[string]float32, len(labels))
		for i, label := range labels {
			a.Probabilities[label] = probabilities[i]
		}
	}
	return a
}

// calibrate returns the probabilities at the decision's temperature.
func (d decision) calibrate(p prediction) []float32 {
	if d.Temperature == 0 || d.Temperature == 1 {
		return p.probabilities
	}
	scaled, sum := make([]float64, len(p.logits)), 0.0
	for i, z := range p.logits {
		scaled[i] = float64(float32(float64(z) / d.Temperature))
	}
	highest := slices.Max(scaled)
	for i, z := range scaled {
		scaled[i] = math.Exp(z - highest)
		sum += scaled[i]
	}
	probabilities := make([]float32, len(scaled))
	for i, e := range scaled {
		probabilities[i] = float32(e / sum)
	}
	return probabilities
}

// byThreshold says that the threshold decides, not the larger probability.
func (d decision) byThreshold(probabilities []float32) bool {
	return d.Threshold > 0 && len(probabilities) == 2
}

// rank lists the classes: the predicted one first, then the others by probability.
func (d decision) rank(probabilities []float32) []int {
	order := make([]int, len(probabilities))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(probabilities[b], probabilities[a]) })
	if d.byThreshold(probabilities) {
		order = []int{0, 1}
		if probabilities[1] >= float32(d.Threshold) {
			order = []int{1, 0}
		}
	}
	return order
}

// confidence is how certain the predicted class is: its probability, or with a threshold
// the one it would have if the odds were shifted so that the threshold lies at one half.
func (d decision) confidence(probabilities []float32) float32 {
	if !d.byThreshold(probabilities) {
		return slices.Max(probabilities)
	}
	first := float64(probabilities[0]) * d.Threshold
	second := float64(probabilities[1]) * (1 - d.Threshold)
	if first+second == 0 {
		return 0.5
	}
	return float32(max(first, second) / (first + second))
}
