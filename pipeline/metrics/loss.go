package metrics

import (
	"math"

	"tftl/pipeline"
)

// epsilon is keras.config.epsilon(), the distance that Keras keeps probabilities from 0 and 1.
const epsilon = 1e-7

// Loss is the cross-entropy of one prediction and its sample's label, in nats and
// in float64.
//
// Computed from logits it is exact however far apart they are. With probabilities
// only, it does what Keras' CategoricalCrossentropy does
// (keras/src/backend/tensorflow/nn.py, categorical_crossentropy): it divides the
// row by its sum and clips the result to [1e-7, 1-1e-7], so no loss exceeds
// 16.12.
//
// The result is NaN or infinite if the prediction is. A label that is not an
// index of the row is an error.
func Loss(p pipeline.Prediction) (float64, error) {
	row := p.Logits
	if row == nil {
		row = p.Probabilities
	}
	label := p.Sample.Label
	if label < 0 || label >= len(row) {
		return 0, pipeline.Errorf(pipeline.BadData, "sample %q: label %d is not one of the model's %d classes",
			p.Sample.ID, label, len(row))
	}
	if p.Logits == nil {
		return lossOfProbabilities(row, label), nil
	}
	return lossOfLogits(row, label), nil
}

// lossOfLogits is -log(softmax(row)[label]). Subtracting the largest logit first
// keeps exp from overflowing and makes one term of the sum 1.
func lossOfLogits(row []float32, label int) float64 {
	largest := float64(row[argmax(row)])
	var sum float64
	for _, z := range row {
		sum += math.Exp(float64(z) - largest)
	}
	return largest - float64(row[label]) + math.Log(sum)
}

func lossOfProbabilities(row []float32, label int) float64 {
	var sum float64
	for _, p := range row {
		sum += float64(p)
	}
	// Go's min and max propagate NaN.
	return -math.Log(min(max(float64(row[label])/sum, epsilon), 1-epsilon))
}

// argmax is numpy's: the first of the largest, with NaN larger than any number.
func argmax(row []float32) int {
	best := 0
	for i, v := range row {
		if math.IsNaN(float64(v)) {
			return i
		}
		if v > row[best] {
			best = i
		}
	}
	return best
}
