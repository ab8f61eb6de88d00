package pipeline

import "math"

// Unsound finds an output that no working model returns: a value that is not
// finite, a probability below 0 or above 1, or probabilities that do not sum to
// 1, within the rounding of bfloat16. It returns what is wrong, such as
// "probability is", and the value. what is empty if the prediction is sound.
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
