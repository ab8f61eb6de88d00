package schedule

import (
	"math"

	"tftl/pipeline"
)

// Depth decides how deep to fine-tune: block by block, as long as the monitored
// metric improves by more than its noise.
type Depth struct {
	Monitor string
	Higher  bool
}

// Point is the best epoch up to the end of a stage.
type Point struct {
	Stage string  `json:"stage"`
	Value float64 `json:"value"` // of the monitored metric
	// Noise is the standard error of Value over the validation samples, or 0 if
	// it has none: another metric, or a single sample.
	Noise float64 `json:"noise"`
	Gain  float64 `json:"gain"` // improvement over the previous stage, positive if better; 0 for the first
}

// Curve is the metric against the depth: a point for each stage of a history.
func (d Depth) Curve(history []pipeline.Epoch) []Point {
	var curve []Point
	best := math.Inf(1)
	for i, e := range history {
		if i == 0 || e.Stage != history[i-1].Stage {
			point := Point{Stage: e.Stage, Value: math.NaN()}
			if len(curve) > 0 { // a stage starts from the best weights so far
				before := curve[len(curve)-1]
				point.Value, point.Noise = before.Value, before.Noise
			}
			curve = append(curve, point)
		}
		at := &curve[len(curve)-1]
		value := signed(e, d.Monitor, d.Higher)
		if !(value < best) {
			continue
		}
		if len(curve) > 1 {
			at.Gain += best - value
		}
		best = value
		at.Value, _ = e.Value(d.Monitor)
		if at.Noise, _ = e.Value(d.Monitor + "_se"); math.IsNaN(at.Noise) {
			at.Noise = 0
		}
	}
	return curve
}

// Deeper says whether to train the next stage: whether the newest one gained more
// than the noise. After the first stage the answer is yes.
func (d Depth) Deeper(history []pipeline.Epoch) bool {
	curve := d.Curve(history)
	if len(curve) < 2 {
		return true
	}
	last := curve[len(curve)-1]
	return last.Gain > last.Noise
}
