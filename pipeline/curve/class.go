package curve

import (
	"slices"

	"tftl/pipeline"
)

// fewest is how many validation images a class has if anything is said about it.
const fewest = 5

// classes fits the curve of each class's recall, as the class grows with all others,
// and finds the class that gains most.
func (r *Result) classes(heads []Head, v Validation) error {
	var gains [][]float64
	for c, name := range v.Classes {
		class := Class{Name: name, Validation: v.Images[c]}
		if v.Images[c] < fewest {
			r.Classes, gains = append(r.Classes, class), append(gains, nil)
			continue
		}
		images := float64(v.Images[c])
		var runs []Run
		for _, h := range heads {
			runs = append(runs, Run{h.Images, h.Seed, 1 - float64(h.Right[c])/images})
		}
		f, err := NewFit(runs, Measured{Images: images, Whole: true, Guess: 1})
		if err != nil {
			return err
		}
		gain := f.Gains(2)
		class.Recall = &Recall{Now: mean(heads, r.Training, func(h Head) float64 { return float64(h.Right[c]) / images }), Twice: value(f.At(2 * r.Training))}
		_, class.Recall.Gain, class.Recall.Interval = judge(gain)
		r.Classes, gains = append(r.Classes, class), append(gains, shuffled(gain, c))
	}
	r.MostGain = r.mostGain(gains)
	return nil
}

// mostGain is the class that very likely gains most. It has to gain something: a gain
// that may be next to none is not worth a name.
func (r *Result) mostGain(gains [][]float64) string {
	firsts := make([]int, len(gains))
	for i := range drawn {
		best := -1
		for c, g := range gains {
			if g != nil && (best < 0 || g[i] > gains[best][i]) {
				best = c
			}
		}
		if best < 0 {
			return ""
		}
		firsts[best]++
	}
	best := slices.Index(firsts, slices.Max(firsts))
	if float64(firsts[best]) < sure*drawn || r.Classes[best].Recall.Interval[0] < Worthwhile {
		return ""
	}
	return r.Classes[best].Name
}

// shuffled mixes draws, which are in the order of their laws, so that those of two
// classes are independent.
func shuffled(draws []float64, class int) []float64 {
	mixed := make([]float64, len(draws))
	for i, k := range pipeline.Order(uint64(class), 0, len(draws)) {
		mixed[i] = draws[k]
	}
	return mixed
}

// effective is how many images would make the error over all of them vary as much as
// the mean error of the classes does.
func effective(heads []Head, v Validation, images int) float64 {
	present, err, variance := 0.0, 0.0, 0.0
	for c, n := range v.Images {
		if n > 0 {
			wrong := 1 - mean(heads, images, func(h Head) float64 { return float64(h.Right[c]) / float64(n) })
			wrong = smooth(wrong, float64(n))
			present, err, variance = present+1, err+wrong, variance+wrong*(1-wrong)/float64(n)
		}
	}
	err, variance = err/present, variance/present/present
	return err * (1 - err) / variance
}
