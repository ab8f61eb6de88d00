package main

import (
	"math"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
)

// guessLoss is the val_loss of who looks at no image.
func (o *fitOptions) guessLoss(set *dataset.Set) float64 {
	return metrics.GuessLoss(samples(set.Train), samples(set.Validation), len(set.Classes), o.config.Training.ClassWeights != nil)
}

func samples(part dataset.Part) []pipeline.Sample {
	list := make([]pipeline.Sample, part.Len())
	for i := range list {
		list[i] = part.Sample(i)
	}
	return list
}

// warnOfGuessing says where the best epoch is no better than guessing: a finite
// loss may be absurd all the same. One that is near to it has learnt little,
// one that is far above was trained with too large a rate.
func (t terminal) warnOfGuessing(best pipeline.Epoch, guess float64) {
	loss, ok := best.Value("val_loss")
	if !ok || !(loss >= guess) || math.IsInf(guess, 0) {
		return
	}
	next := "train for longer, or with another learning rate"
	if loss > 2*guess {
		next = "lower the learning rate (--lr)"
	}
	t.warn("the best epoch's val_loss %.4g is no better than guessing (%.4g): %s", loss, guess, next)
}
