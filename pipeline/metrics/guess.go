package metrics

import (
	"math"

	"tftl/pipeline"
)

// GuessLoss is the validation loss of a guess that ignores the image and predicts
// the class frequencies of train. A network whose loss is not below it has
// learned nothing useful. Set even if training weights the classes equally:
// predicting all classes with the same probability is then a guess too, and the
// larger of both losses counts.
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

// fair is how many images it takes to judge logits that have one output each.
const fair = 30

// Likeness finds out whether all logits look like probabilities: each row lies
// between 0 and 1 and sums to 1. If a model has a single output, the first of two
// logits is always 0; the other must then lie between 0 and 1 over a fair number
// of images.
type Likeness struct {
	seen   int
	beyond bool // a logit was not between 0 and 1
	two    bool // a row did not have one output alone
	uneven bool // a row did not sum to 1
}

// Add looks at more predictions.
func (l *Likeness) Add(predictions []pipeline.Prediction) {
	const slack = 0.02 // for bfloat16
	for _, p := range predictions {
		l.seen++
		sum := 0.0
		for _, z := range p.Logits {
			l.beyond = l.beyond || !(z >= 0 && z <= 1)
			sum += float64(z)
		}
		l.two = l.two || len(p.Logits) != 2 || p.Logits[0] != 0
		l.uneven = l.uneven || math.Abs(sum-1) > slack
	}
}

// Probabilities is the answer.
func (l *Likeness) Probabilities() bool {
	return !l.beyond && (l.seen >= fair && !l.two || l.seen > 0 && !l.uneven)
}
