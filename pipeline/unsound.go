package pipeline

import "math"

// Unsound says what of a prediction no model that works returns: a figure that is
// not finite, a probability that is not from 0 to 1, or ones that do not sum to 1,
// each within bfloat16's rounding; and its value. what is empty where there is
// nothing, and otherwise such as "probability is".
func (p Prediction) Unsound() (what string, value float64) {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	for _, z := range p.Logits {
		if !finite(float64(z)) {
			return "logit is", float64(z)
		}
	}
	const slack = 0.02
	sum := 0.0
	for _, v := range p.Probabilities {
		v := float64(v)
		if !finite(v) || v < -slack || v > 1+slack {
			return "probability is", v
		}
		sum += v
	}
	if math.Abs(sum-1) > slack {
		return "probabilities sum to", sum
	}
	return "", 0
}
