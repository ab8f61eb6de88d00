// Package schedule decides what the loop does next: the learning rate of a
// step, whether an epoch is the best one, whether to stop. All of it is pure
// functions of the step and of the history so far, so that a resumed run
// decides as the first one did. It keeps no state and knows no network.
package schedule

import (
	"math"

	"tftl/pipeline"
)

// EarlyStopping ends a stage that has stopped getting better, as Keras'
// callback of that name does.
type EarlyStopping struct {
	Monitor  string  // a figure of the history: val_loss, val_accuracy, …
	Higher   bool    // whether more of it is better
	MinDelta float64 // what counts as better, to stop by
	Patience int     // epochs without that before the stage ends; 0 never ends one
	// StartFromEpoch is how many epochs of each stage count for nothing here, as
	// Keras' start_from_epoch; they may be the best all the same.
	StartFromEpoch int
}

// Watch is a pipeline.Watch. The best epoch is the one strictly better than
// all before it in the whole run, however little; patience counts within the
// newest epoch's stage. A figure that is not a number is never better.
func (e EarlyStopping) Watch(history []pipeline.Epoch) pipeline.Verdict {
	if len(history) == 0 {
		return pipeline.Verdict{}
	}
	worst := math.Inf(1)
	best, reference, wait, inStage, isBest := worst, worst, 0, 0, false
	for i, epoch := range history {
		if i > 0 && epoch.Stage != history[i-1].Stage {
			wait, inStage = 0, 0
		}
		value := figure(epoch, e.Monitor, e.Higher)
		if isBest = value < best; isBest {
			best = value
		}
		if inStage++; inStage <= e.StartFromEpoch {
			continue
		}
		if value+e.MinDelta < reference || math.IsInf(reference, 1) && value < worst {
			reference, wait = value, 0
		} else {
			wait++
		}
	}
	return pipeline.Verdict{Best: isBest, Stop: e.Patience > 0 && wait >= e.Patience}
}
