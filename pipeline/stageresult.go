package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
)

// StageResult is what one stage of a run achieved.
type StageResult struct {
	Stage string
	// Epoch is the epoch that was kept of the stage, or else its best one; 0 if none
	// had a finite value.
	Epoch int
	Value float64 // of the monitored metric in that epoch
	Noise float64 // standard error of Value over the validation samples
	// Gain is the improvement over the weights that the stage started from, positive
	// if better, and GainNoise its standard error, from the differences sample by
	// sample. Older histories have only the difference of two values.
	Gain, GainNoise float64
	Kept            bool // whether the best weights came from this stage when it ended
}

// StageResults returns a result for each stage of a history. Numbers that are not
// known are NaN, such as the gain of the first stage.
func StageResults(history []Epoch, monitor string, higher bool) []StageResult {
	var all []StageResult
	for first := 0; first < len(history); {
		end := first + 1
		for end < len(history) && history[end].Stage == history[first].Stage {
			end++
		}
		e := ofStage(history[first:end], monitor, higher)
		result := StageResult{
			Stage: history[first].Stage, Epoch: e.Epoch, Kept: e.Best, Value: e.valueOrNaN(monitor), Noise: e.valueOrNaN(monitor + "_se"),
		}
		result.Gain, result.GainNoise = e.GainOver(history[:first], monitor, higher)
		all = append(all, result)
		first = end
	}
	return all
}

// ofStage returns the epoch of a stage that was kept, or else its best one, or an
// empty one if none has a finite value.
func ofStage(stage []Epoch, monitor string, higher bool) Epoch {
	best, ok := BestOf(stage)
	if ok {
		return best
	}
	least := math.Inf(1)
	for _, e := range stage {
		if v := e.Signed(monitor, higher); v < least {
			best, least = e, v
		}
	}
	return best
}

// MarshalJSON writes null for numbers that are not known.
func (r StageResult) MarshalJSON() ([]byte, error) {
	stage, err := json.Marshal(r.Stage)
	return fmt.Appendf(nil, `{"stage":%s,"epoch":%d,"value":%s,"noise":%s,"gain":%s,"gain_noise":%s,"kept":%t}`,
		stage, r.Epoch, number(r.Value), number(r.Noise), number(r.Gain), number(r.GainNoise), r.Kept), err
}

// GainOver returns an epoch's gain over the weights that its stage started from,
// which are the best of the epochs before the stage, and the gain's standard
// error. Both are NaN in the first stage. An epoch of an older history, which has
// no gain, is judged by the difference of two values and by the standard error of
// its own.
func (e Epoch) GainOver(before []Epoch, monitor string, higher bool) (gain, noise float64) {
	if gain, ok := e.Value("val_" + gainMetric); ok {
		return gain, e.valueOrNaN("val_" + gainErrorMetric)
	}
	if start, ok := BestOf(before); ok {
		return start.Signed(monitor, higher) - e.Signed(monitor, higher), e.valueOrNaN(monitor + "_se")
	}
	return math.NaN(), math.NaN()
}

// Signed returns a metric, negated if higher is better, so that less is always
// better. It is NaN if the epoch lacks the metric.
func (e Epoch) Signed(name string, higher bool) float64 {
	if higher {
		return -e.valueOrNaN(name)
	}
	return e.valueOrNaN(name)
}

// valueOrNaN is Value, or NaN if there is none.
func (e Epoch) valueOrNaN(name string) float64 {
	if v, ok := e.Value(name); ok {
		return v
	}
	return math.NaN()
}
