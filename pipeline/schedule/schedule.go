// Package schedule decides what the training loop does next: the learning rate of
// a step, whether an epoch is the best, whether to stop. These are pure functions
// of the step and the history so far, so that a resumed run decides as an
// uninterrupted one would. The package keeps no state and knows no network.
package schedule

import (
	"math"

	"tftl/pipeline"
)

// EarlyStopping ends a stage that no longer improves, like Keras' callback of the
// same name.
type EarlyStopping struct {
	Monitor  string  // a metric of the history: val_loss, val_accuracy, …
	Higher   bool    // whether higher is better
	MinDelta float64 // smallest improvement that resets Patience
	Patience int     // epochs without improvement before the stage ends; 0 for no limit
	// StartFromEpoch is the number of epochs at the start of each stage that
	// Patience ignores, like Keras' start_from_epoch. They can still be the best.
	StartFromEpoch int
}

// Watch is a pipeline.Watch. An epoch is the best if it is strictly better than
// the best before it in the whole run, by however little. Patience counts within
// the newest epoch's stage, against the best of that stage: a deeper stage may
// begin worse than the one before. NaN is never better.
func (e EarlyStopping) Watch(history []pipeline.Epoch) pipeline.Verdict {
	if len(history) == 0 {
		return pipeline.Verdict{}
	}
	reference, wait, inStage := math.Inf(1), 0, 0
	for i, epoch := range history {
		if i > 0 && epoch.Stage != history[i-1].Stage {
			reference, wait, inStage = math.Inf(1), 0, 0
		}
		if inStage++; inStage <= e.StartFromEpoch {
			continue
		}
		value := epoch.Signed(e.Monitor, e.Higher)
		if value+e.MinDelta < reference || math.IsInf(reference, 1) && value < reference {
			reference, wait = value, 0
		} else {
			wait++
		}
	}
	newest, best := history[len(history)-1].Signed(e.Monitor, e.Higher), math.Inf(1)
	if before, ok := pipeline.BestOf(history[:len(history)-1]); ok {
		best = before.Signed(e.Monitor, e.Higher)
	}
	return pipeline.Verdict{Best: newest < best, Stop: e.Patience > 0 && wait >= e.Patience}
}
