package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"tftl/pipeline"
)

const optionConformal = pipeline.Option("conformal")

// ParseConformal reads the share of images whose set shall have the true class.
func ParseConformal(text string) (float64, error) {
	level, err := strconv.ParseFloat(text, 64)
	if err != nil || !(level > 0 && level < 1) {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %q: must be above 0 and below 1, or off", optionConformal, text)
		return 0, pipeline.WithHint(err, "for example %s 0.95", optionConformal)
	}
	return level, nil
}

// HasSets says that the decision has prediction sets.
func (d Decision) HasSets() bool { return d.Set > 0 }

// SetOf lists the classes that are possible for a row of probabilities: the predicted
// one, and all whose probability is at least Set. The most likely comes first.
func (d Decision) SetOf(probabilities []float32) []int {
	ranked := d.RankClasses(probabilities)
	in := ranked[:1]
	for _, class := range ranked[1:] {
		if d.inSet(probabilities, class) {
			in = append(in, class)
		}
	}
	return in
}

// inSet says whether a class that is not the predicted one is possible.
func (d Decision) inSet(probabilities []float32, class int) bool {
	return probabilities[class] >= float32(d.Set)
}

// setSize is how many classes the set has, and whether this one is among them.
func (d Decision) setSize(probabilities []float32, class int) (size int, has bool) {
	first := d.Class(probabilities)
	for i := range probabilities {
		if i == first || d.inSet(probabilities, i) {
			size++
			has = has || i == class
		}
	}
	return size, has
}

// ChooseSet is the probability that makes sets with the true class for a share, level,
// of new images: split conformal prediction with the smallest sets (Sadinle, Lei and
// Wasserman 2019). The predictions are at the decision's temperature. The promise is
// for the mean over such samples, if they are exchangeable with the new images.
func ChooseSet(predictions []pipeline.Prediction, level float64) (float64, error) {
	n := len(predictions)
	of := make([]float32, n) // the probability of the true class
	for i, p := range predictions {
		if of[i] = p.Probabilities[p.Sample.Label]; math.IsNaN(float64(of[i])) {
			return 0, pipeline.Errorf(pipeline.BadModel, "sample %q: its probability is NaN", p.Sample.ID)
		}
	}
	rank := int(math.Ceil(float64(n+1)*level - rounding*float64(n+1)))
	if rank > n {
		err := pipeline.Errorf(pipeline.BadData, "%s %s: cannot be promised: %d images of the validation part are too few: it takes at least %d",
			optionConformal, exact(level), n, int(math.Ceil(level/(1-level)-rounding)))
		if n == 0 {
			return 0, err
		}
		return 0, pipeline.WithHint(err, "the most that this validation part can promise is %s", exact(math.Floor(1000*float64(n)/float64(n+1))/1000))
	}
	slices.SortFunc(of, func(a, b float32) int { return cmp.Compare(b, a) })
	least := float64(of[max(rank, 1)-1])
	if least == 0 {
		err := pipeline.Errorf(pipeline.BadData, "%s %s: the probability of the true class is 0 for too many images of the validation part: every set would have all classes", optionConformal, exact(level))
		return 0, pipeline.WithHint(err, "calibrate the probabilities with %s fit", pipeline.Option("temperature"))
	}
	return least, nil
}

// SetChosen says how sets came about, in words.
func SetChosen(level float64, samples int) string {
	return fmt.Sprintf("%s of the sets have the true class, from %d images of the validation part", exact(level), samples)
}
