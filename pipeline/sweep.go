package pipeline

import (
	"context"
	"fmt"
	"math"
)

// Sweep searches for a learning rate. It trains briefly at each rate, always
// from the same weights and on the same batches, the ones that Fit would use.
//
// The range test of Smith, Cyclical Learning Rates for Training Neural Networks
// (2017), instead takes one step per rate, on weights already trained at all
// lower rates. On the small data sets of transfer learning, such weights have
// memorized their images before the rates become useful, and the loss says
// nothing about any particular rate.
type Sweep struct {
	Plan       Plan // without its stages and stopping rules, which are not used
	Hyper      Hyperparameters
	Rates      []float64
	Steps      int    // at each rate
	Checkpoint string // path prefix for the weights from which each rate starts
	// Loss returns the mean loss of predictions.
	Loss     func([]Prediction) float64
	Progress Progress
}

// SweepPoint is the result of one rate. A loss that is not finite is +Inf.
type SweepPoint struct {
	LearningRate float64
	Loss         float64 // on the validation part, after the last step
}

// sweepBatches is the number of validation batches that measure each rate. They
// are drawn once. Four are enough to tell rates apart, and cheap even for a deep
// stage.
const sweepBatches = 4

// Run trains at every rate in turn.
func (s Sweep) Run(ctx context.Context, stage Stage, train, validation Source) ([]SweepPoint, error) {
	held, err := s.take(ctx, validation, 0, sweepBatches)
	if err != nil {
		return nil, err
	}
	if _, err := s.Plan.initialize(ctx, stage, train, nil); err != nil {
		return nil, err
	}
	if err := stage.Save(ctx, s.Checkpoint); err != nil {
		return nil, err
	}
	event := Event{Phase: "sweep", Total: len(s.Rates)}
	s.Progress.report(event)
	points := make([]SweepPoint, len(s.Rates))
	for i, rate := range s.Rates {
		if err := stage.Restore(ctx, s.Checkpoint); err != nil {
			return nil, err
		}
		if err := stage.Begin(ctx); err != nil {
			return nil, err
		}
		loss, err := s.train(ctx, stage, train, held, rate)
		if err != nil {
			return nil, fmt.Errorf("learning rate %g: %w", rate, err)
		}
		points[i] = SweepPoint{rate, loss}
		event.Done, event.Loss = i+1, loss
		s.Progress.report(event)
	}
	return points, nil
}

// train takes the steps at one rate and returns the validation loss after them.
func (s Sweep) train(ctx context.Context, stage Stage, train Source, held []Batch, rate float64) (float64, error) {
	s.Hyper.LearningRate = rate
	for epoch, step := 1, 0; step < s.Steps; epoch++ {
		for batch, err := range batches(ctx, train, epoch, Order(s.Plan.Seed, epoch, train.Len()), s.Plan.BatchSize) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return 0, err
			}
			batch.target(s.Plan)
			result, err := stage.Step(ctx, batch, s.Hyper)
			if err != nil {
				return 0, err
			}
			if !result.Finite {
				return math.Inf(1), nil
			}
			if step++; step == s.Steps {
				break
			}
		}
	}
	var predictions []Prediction
	for _, batch := range held {
		some, err := Top{Stage: stage}.Predict(ctx, batch)
		if err != nil {
			return 0, err
		}
		predictions = append(predictions, some...)
	}
	if loss := s.Loss(predictions); !math.IsNaN(loss) {
		return loss, nil
	}
	return math.Inf(1), nil
}

// take reads the first batches of an epoch's order, to be used repeatedly.
func (s Sweep) take(ctx context.Context, source Source, epoch, count int) ([]Batch, error) {
	order := Order(s.Plan.Seed, epoch, source.Len())
	order = order[:min(len(order), count*s.Plan.BatchSize)]
	var held []Batch
	for batch, err := range batches(ctx, source, epoch, order, s.Plan.BatchSize) {
		if err != nil {
			return nil, err
		}
		batch.Recycle = nil // used at every rate
		held = append(held, batch)
	}
	return held, nil
}
