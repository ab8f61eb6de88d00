package schedule

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"tftl/pipeline"
)

// Searched are the hyperparameters that Settings can vary, by their options.
func Searched() []pipeline.Option { return []pipeline.Option{"lr", "l2", "dropout", "units"} }

// Settings are n settings to try: the default, then settings that vary the
// hyperparameters in search and have the default's value of the others.
//
// They are a Halton sequence, shifted by the seed. It covers the space more evenly
// than independent draws. Setting i depends only on the seed and i, so more
// settings only add to fewer. Values have two digits, so that they can be typed.
func Settings(standard pipeline.Setting, search []pipeline.Option, n int, seed uint64) []pipeline.Setting {
	random := rand.NewPCG(seed, 0)
	var shift [4]float64
	for d := range shift {
		shift[d] = float64(random.Uint64()>>11) / (1 << 53)
	}
	settings := make([]pipeline.Setting, n)
	for i := range settings {
		settings[i] = standard
		settings[i].Units = slices.Clone(standard.Units)
		if i > 0 {
			var at [4]float64
			for d, base := range [4]int{2, 3, 5, 7} {
				_, at[d] = math.Modf(radicalInverse(i, base) + shift[d])
			}
			vary(&settings[i], search, at)
		}
	}
	return settings
}

// vary sets the searched hyperparameters to a point of the unit cube.
func vary(s *pipeline.Setting, search []pipeline.Option, at [4]float64) {
	for _, option := range search {
		switch option {
		case "lr": // a factor from 1/30 to 30
			s.LearningRate = twoDigits(s.LearningRate * math.Pow(30, 2*at[0]-1))
		case "l2": // none for a quarter, else 1e-5 to 1e-2
			s.L2 = 0
			if u := (at[1] - 0.25) / 0.75; u >= 0 {
				s.L2 = twoDigits(1e-5 * math.Pow(1e3, u))
			}
		case "dropout": // none for a quarter, else up to 0.7
			s.Dropout = max(0, math.Round(100*0.7*(at[2]-0.25)/0.75)/100)
		case "units": // 32, 64, … 1024
			for i := range s.Units {
				s.Units[i] = 32 << int(6*at[3])
			}
		}
	}
}

// radicalInverse mirrors the digits of i at the decimal point: van der Corput's
// sequence, of which Halton's has one for each dimension.
func radicalInverse(i, base int) float64 {
	inverse, digit := 0.0, 1/float64(base)
	for ; i > 0; i /= base {
		inverse += float64(i%base) * digit
		digit /= float64(base)
	}
	return inverse
}

func twoDigits(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 1, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

// Rung is one round of successive halving.
type Rung struct {
	Settings int // how many are trained, the best of the rung before
	Epochs   int
	// StepsPerEpoch is less than an epoch's if the rung is shorter than one, else 0.
	StepsPerEpoch int
}

// Steps is the number of steps of one setting.
func (r Rung) Steps(stepsPerEpoch int) int {
	if r.StepsPerEpoch > 0 {
		return r.StepsPerEpoch
	}
	return r.Epochs * stepsPerEpoch
}

// Rungs are the rounds of successive halving with factor 3: all n settings for
// 1/27 of a training, the best third of them for 1/9, the best third of those for
// 1/3, and the best two for all of it. Fewer settings need fewer rungs. Rungs are
// cut to whole epochs, or to steps if shorter than one.
func Rungs(n, epochs, stepsPerEpoch int) []Rung {
	share := 1
	for settings := n; settings >= 3 && share < 27; settings /= 3 {
		share *= 3
	}
	var rungs []Rung
	for ; share > 1; share /= 3 {
		rung := Rung{Settings: n, Epochs: epochs / share}
		if rung.Epochs == 0 {
			rung.Epochs, rung.StepsPerEpoch = 1, max(1, epochs*stepsPerEpoch/share)
		}
		// A rung that is no longer than the one before would repeat it.
		if last := len(rungs) - 1; last < 0 || rung.Steps(stepsPerEpoch) > rungs[last].Steps(stepsPerEpoch) {
			rungs = append(rungs, rung)
		}
		n /= 3
	}
	return append(rungs, Rung{Settings: 2, Epochs: epochs})
}
