package metrics

import (
	"math"

	"tftl/pipeline"
)

// epsilon is keras.config.epsilon(), how far Keras keeps probabilities from 0 and 1.
const epsilon = 1e-7

// Loss is the cross-entropy of one prediction with its sample's label, in
// nats and in float64.
//
// Where there are logits it is exact however far apart they lie. Where there
// are probabilities alone it does what Keras' CategoricalCrossentropy does
// (keras/src/backend/tensorflow/nn.py, categorical_crossentropy): the row is
// divided by its sum and the result clipped to [1e-7, 1-1e-7], so that no loss
// is above 16.12.
//
// The result is NaN or infinite where the prediction is. A label that is no
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

// lossOfLogits is -log(softmax(row)[label]). The largest logit is taken out
// first, so that exp never overflows and one term of the sum is 1.
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
	// Go's min and max hand a NaN on.
	return -math.Log(min(max(float64(row[label])/sum, epsilon), 1-epsilon))
}

// argmax is numpy's: the first of the largest, and a NaN is larger than any number.
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
