package schedule

import (
	"math"

	"tftl/pipeline"
)

// Constant is one learning rate for every step.
func Constant(rate float64) pipeline.Schedule { return func(int) float64 { return rate } }

// Exponential is rate * factor^(step/every), like
// keras.optimizers.schedules.ExponentialDecay. With stairs the exponent is
// rounded down: step decay.
func Exponential(rate, factor float64, every int, stairs bool) pipeline.Schedule {
	return func(step int) float64 {
		exponent := float64(step) / float64(every)
		if stairs {
			exponent = math.Floor(exponent)
		}
		return rate * math.Pow(factor, exponent)
	}
}

// Cosine falls from rate to 0 over total steps along half a cosine, like
// keras.optimizers.schedules.CosineDecay.
func Cosine(rate float64, total int) pipeline.Schedule {
	return func(step int) float64 {
		done := min(float64(step)/float64(total), 1)
		return rate * 0.5 * (1 + math.Cos(math.Pi*done))
	}
}

// Warmup is linear learning-rate warm-up: it rises to rate over a number of steps,
// then follows next, which counts from 0 again. Its first step has a rate above
// 0. Keras' warm-up wastes that step.
func Warmup(rate float64, steps int, next pipeline.Schedule) pipeline.Schedule {
	return func(step int) float64 {
		if step < steps {
			return rate * float64(step+1) / float64(steps+1)
		}
		return next(step - steps)
	}
}

// Plateau multiplies the learning rate by Factor after every Patience epochs
// without improvement, like Keras' ReduceLROnPlateau without a cooldown.
type Plateau struct {
	Monitor  string
	Higher   bool
	MinDelta float64
	Patience int     // 1 or more
	Factor   float64 // between 0 and 1
}

// Scale is the factor for the learning rate of the next epoch. It is a pure
// function of the stage's epochs so far.
func (p Plateau) Scale(history []pipeline.Epoch) float64 {
	scale, best, wait := 1.0, math.Inf(1), 0
	for _, epoch := range history {
		value := epoch.Signed(p.Monitor, p.Higher)
		if value < best-p.MinDelta || math.IsInf(best, 1) && value < best {
			best, wait = value, 0
			continue
		}
		if wait++; wait >= p.Patience {
			scale, wait = scale*p.Factor, 0
		}
	}
	return scale
}
