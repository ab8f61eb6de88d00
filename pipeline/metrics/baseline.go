package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Baseline is what an answer that ignores the image would reach. NaN where it has
// no value.
type Baseline struct {
	Chance, Frequent float64 // all classes equally likely; as frequent as they are
}

// Baselines are those of a report's metrics that have one, by name. The frequencies
// are those of the classes in train, an image count by class; without it those of
// the samples that were measured.
//
// For the accuracy it is the share of samples of the most frequent class, for the
// loss that of the frequencies as probabilities.
func Baselines(r Report, train []int) map[string]Baseline {
	classes := len(r.Classes)
	if classes == 0 || r.Samples == 0 {
		return nil
	}
	counts, total, most := make([]int, classes), 0, 0
	for i, c := range r.Classes {
		counts[i] = c.Support
		if len(train) == classes && slices.Max(train) > 0 {
			counts[i] = train[i]
		}
	}
	for i, n := range counts {
		total += n
		if n > counts[most] {
			most = i
		}
	}
	var loss float64
	for i, c := range r.Classes {
		if c.Support > 0 {
			loss -= float64(c.Support) / float64(r.Samples) * math.Log(float64(counts[i])/float64(total))
		}
	}
	chance := 1 / float64(classes)
	return map[string]Baseline{
		"accuracy":          {chance, ratio(r.Classes[most].Support, r.Samples)},
		"balanced_accuracy": {chance, chance},
		"loss":              {-math.Log(chance), loss},
	}
}

// overconfident is a warning if a model is much more often right than a guess, but
// its loss is no better than that of one.
func overconfident(r Report) []string {
	guesses := Baselines(r, nil)
	m, accuracy, loss := r.Intervals["accuracy"], guesses["accuracy"], r.Value("loss")
	if guess := min(guesses["loss"].Chance, guesses["loss"].Frequent); !(m[0] > max(accuracy.Chance, accuracy.Frequent)) || !(loss > guess) {
		return nil
	}
	text := fmt.Sprintf("an accuracy of %.4f is above that of a guess, but so is the loss of %.4f: where the model is wrong, it is too certain", r.Value("accuracy"), loss)
	if t := r.Decision.Temperature; t == 0 || t == 1 {
		text += "; a temperature that is fitted on the validation part makes its probabilities better"
	}
	return []string{text}
}
