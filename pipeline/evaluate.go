package pipeline

import (
	"context"
	"iter"
	"math"
	"slices"
)

// Predictor is a network in inference mode. Its input depends on the network:
// pixels for a serving model, features for a stage's head.
type Predictor interface {
	Predict(ctx context.Context, b Batch) ([]Prediction, error)
}

// Evaluate predicts every sample of a source and yields the predictions in order,
// a batch at a time. An error ends it.
func Evaluate(ctx context.Context, source Source, p Predictor, batchSize int, progress Progress) iter.Seq2[[]Prediction, error] {
	return evaluate(ctx, source, p, batchSize, progress, Event{Phase: "evaluate"})
}

func evaluate(ctx context.Context, source Source, p Predictor, batchSize int, progress Progress, event Event) iter.Seq2[[]Prediction, error] {
	return func(yield func([]Prediction, error) bool) {
		event.Done, event.Total = 0, source.Len()
		for batch, err := range batches(ctx, source, 0, sequence(source.Len()), batchSize) {
			var some []Prediction
			if err == nil {
				some, err = p.Predict(ctx, batch)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			event.Done += len(some)
			progress.report(event)
			if !yield(some, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// Together collects what an iterator yields in pieces, until an error ends it.
func Together[T any](pieces iter.Seq2[[]T, error]) ([]T, error) {
	var all []T
	for some, err := range pieces {
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Top is the trainable part of an open stage, as a Predictor that takes
// features.
type Top struct {
	Stage   Stage
	Novelty *Novelty // that predictions get; nil for none
}

// Predict implements Predictor.
func (t Top) Predict(ctx context.Context, features Batch) ([]Prediction, error) {
	predictions := make([]Prediction, len(features.Samples))
	if t.Novelty != nil {
		err := HeadInputs(ctx, t.Stage, features, func(i int, inputs []float32) { predictions[i].Novelty = t.Novelty.Score(inputs) })
		if err != nil {
			return nil, err
		}
	}
	logits, err := t.Stage.Logits(ctx, features)
	if err != nil {
		return nil, err
	}
	classes := len(logits) / max(len(predictions), 1)
	exps := make([]float64, classes)
	for i := range predictions {
		row := logits[i*classes : (i+1)*classes : (i+1)*classes]
		predictions[i].Sample, predictions[i].Logits, predictions[i].Probabilities = features.Samples[i], row, softmax(row, exps)
	}
	return predictions, nil
}

// Softmax computes exp(z - max z) divided by its sum, in float64.
func Softmax(logits []float32) []float32 { return softmax(logits, make([]float64, len(logits))) }

// softmax is Softmax with a number of working memory for each logit.
func softmax(logits []float32, exps []float64) []float32 {
	highest, sum := float64(slices.Max(logits)), 0.0
	for i, z := range logits {
		exps[i] = math.Exp(float64(z) - highest)
		sum += exps[i]
	}
	probabilities := make([]float32, len(logits))
	for i, e := range exps {
		probabilities[i] = float32(e / sum)
	}
	return probabilities
}
