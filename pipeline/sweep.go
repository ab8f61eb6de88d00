package pipeline

import (
	"context"
	"fmt"
	"math"
)

// Sweep is a search for a learning rate: a short training at each of some rates,
// all from the same weights and on the same batches, those that Fit would take.
//
// The range test of Smith, Cyclical Learning Rates for Training Neural Networks
// (2017), takes one step a rate on weights that all lower rates have trained. On
// the small sets of transfer learning these have learnt their images by heart
// before the rate is of any use, and the loss shows it of no rate in particular.
type Sweep struct {
	Plan       Plan // its stages and what decides when to stop are not used
	Hyper      Hyperparameters
	Rates      []float64
	Steps      int    // of each training
	Checkpoint string // path prefix to keep the weights at that each begins with
	// Loss is the mean loss of predictions.
	Loss     func([]Prediction) float64
	Progress Progress
}

// SweepPoint is what one rate came to. A loss that is not finite is +Inf.
type SweepPoint struct {
	LearningRate float64
	Loss         float64 // on the validation part, after the last step
}

// sweepBatches of the validation part are measured, drawn once: enough to tell
// rates apart, and cheap where a stage is deep.
const sweepBatches = 4

// Run trains at every rate in turn.
func (s Sweep) Run(ctx context.Context, stage Stage, train, validation Source) ([]SweepPoint, error) {
	held, err := s.take(ctx, validation, 0, sweepBatches)
	if err != nil {
		return nil, err
	}
	if err := s.Plan.initialize(ctx, stage); err != nil {
		return nil, err
	}
	if err := stage.Save(ctx, s.Checkpoint); err != nil {
		return nil, err
	}
	event := Event{Phase: "sweep", Total: len(s.Rates)}
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

// train takes the steps at one rate and returns the loss that they end with.
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
		some, err := Top{stage}.Predict(ctx, batch)
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

// take keeps the first batches of an epoch's order.
func (s Sweep) take(ctx context.Context, source Source, epoch, count int) ([]Batch, error) {
	order := Order(s.Plan.Seed, epoch, source.Len())
	order = order[:min(len(order), count*s.Plan.BatchSize)]
	var held []Batch
	for batch, err := range batches(ctx, source, epoch, order, s.Plan.BatchSize) {
		if err != nil {
			return nil, err
		}
		batch.Recycle = nil // it is used again and again
		held = append(held, batch)
	}
	return held, nil
}
