package metrics

import (
	"math"

	"tftl/pipeline"
)

// GuessLoss is the loss over validation of who knows no image and says of each
// how frequent the classes are in train. A network whose loss is not below it
// has learnt nothing that helps. even is for a training that makes the classes
// alike: then what says the same of each class is a guess, too, and the larger
// of both losses counts.
func GuessLoss(train, validation []pipeline.Sample, classes int, even bool) float64 {
	weights, total := make([]float64, classes), 0.0
	for _, s := range train {
		weights[s.Label] += float64(s.Weight)
		total += float64(s.Weight)
	}
	loss := 0.0
	for _, s := range validation {
		loss -= math.Log(weights[s.Label]/total) / float64(len(validation))
	}
	if even {
		loss = max(loss, math.Log(float64(classes)))
	}
	return loss
}

// fair is how many logits of one output each say enough together.
const fair = 30

// LikeProbabilities says whether all logits look like probabilities: each row is from
// 0 to 1 and sums to 1, or, where the first of two is always 0 for it stands
// beside a lone output, that output is from 0 to 1 over a fair number of images.
func LikeProbabilities(predictions []pipeline.Prediction) bool {
	const slack = 0.02 // of bfloat16
	alone, sums := len(predictions) >= fair, len(predictions) > 0
	for _, p := range predictions {
		sum := 0.0
		for _, z := range p.Logits {
			if !(z >= 0 && z <= 1) {
				return false
			}
			sum += float64(z)
		}
		alone = alone && len(p.Logits) == 2 && p.Logits[0] == 0
		sums = sums && math.Abs(sum-1) <= slack
	}
	return alone || sums
}
