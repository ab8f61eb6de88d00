package curve

import (
	"math"
	"slices"

	"tftl/pipeline"
)

// The metrics whose curve is fitted, by their names in package metrics.
const (
	Accuracy         = "accuracy"
	BalancedAccuracy = "balanced_accuracy"
)

// Head is a head that was trained on some images, with what it makes of the validation
// images.
type Head struct {
	Images   int    `json:"images"`
	Seed     uint64 `json:"seed"`     // heads with the same seed have nested images
	Diverged bool   `json:"diverged"` // all that follows is 0
	Epoch    int    `json:"epoch"`    // the best one
	// Accuracy, BalancedAccuracy and Loss are those of the best epoch.
	Accuracy         float64 `json:"val_accuracy"`
	BalancedAccuracy float64 `json:"val_balanced_accuracy"`
	Loss             float64 `json:"val_loss"`
	// Right is how many validation images of each class it gets right.
	Right []int `json:"val_right"`
}

// Value is the head's accuracy or balanced accuracy.
func (h Head) Value(metric string) float64 {
	if metric == BalancedAccuracy {
		return h.BalancedAccuracy
	}
	return h.Accuracy
}

// Validation is the part that heads are measured on.
type Validation struct {
	Classes []string
	Images  []int // of each class
}

// Verdict says what more images would change.
type Verdict string

// The verdicts.
const (
	Helps   Verdict = "helps"   // the metric very likely rises by Worthwhile or more with four times as many
	Flat    Verdict = "flat"    // it very likely does not
	Unclear Verdict = "unclear" // either is possible
)

const (
	// Worthwhile is the rise of a metric that is worth four times as many images.
	Worthwhile = 0.01
	// sure is how probable something is before it is said.
	sure = 0.9
)

// Value is a metric with its 95% intervals.
type Value struct {
	Images int     `json:"images"` // for training
	Value  float64 `json:"value"`  // expected
	// Here holds what one head will have on the same validation images.
	Here Interval `json:"here"`
	// General holds what it will have on all images of this kind.
	General Interval `json:"in_general"`
}

// Point is the fitted curve at a number of images.
type Point struct {
	Images int      `json:"images"`
	Value  float64  `json:"value"` // the median
	Around Interval `json:"interval"`
}

// Class is what more images would do for one class.
type Class struct {
	Name       string `json:"class"`
	Validation int    `json:"validation_images"`
	// Recall is nil if there are too few of them to say anything.
	Recall *Recall `json:"recall"`
}

// Recall is the recall of a class.
type Recall struct {
	Now   float64 `json:"now"` // with all training images; the mean of the heads
	Twice Value   `json:"twice"`
	// Gain is by how much the fitted curve rises with twice as many images.
	Gain     float64  `json:"gain"`
	Interval Interval `json:"gain_interval"`
}

// Result is a learning curve.
type Result struct {
	Metric   string   `json:"metric"`
	Training int      `json:"training_images"`
	Images   int      `json:"validation_images"`
	Now      Value    `json:"now"`      // with all training images; the mean of the heads
	Expected []Value  `json:"expected"` // with twice and four times as many
	Verdict  Verdict  `json:"verdict"`
	Gain     float64  `json:"gain"` // of the fitted curve, with four times as many images
	Interval Interval `json:"gain_interval"`
	Worse    bool     `json:"worse"` // with all images than with fewer, by more than chance
	// MostGain is the class that gains most from twice as many images, if that is
	// very likely; else empty.
	MostGain string  `json:"most_gain,omitempty"`
	Classes  []Class `json:"classes"`
	Curve    []Point `json:"curve"`
	Heads    []Head  `json:"heads"`
}

// Analyse fits the curves of heads: that of the metric, and that of each class's
// recall.
func Analyse(heads []Head, v Validation, metric string) (Result, error) {
	used := slices.DeleteFunc(slices.Clone(heads), func(h Head) bool { return h.Diverged })
	r := Result{Metric: metric, Heads: heads}
	for _, n := range v.Images {
		r.Images += n
	}
	var runs []Run
	for _, h := range used {
		runs = append(runs, Run{h.Images, h.Seed, 1 - h.Value(metric)})
	}
	for _, h := range heads {
		r.Training = max(r.Training, h.Images)
	}
	if left := sizesOf(runs); len(left) < leastLeft || left[len(left)-1] < r.Training {
		err := pipeline.Errorf(pipeline.Diverged, "training diverged with too many of the numbers of images, or with all %d", r.Training)
		return r, pipeline.WithHint(err, "a smaller %s usually helps", pipeline.Option("lr"))
	}
	guess := 1 - 1/float64(len(v.Classes))
	of := Measured{Images: float64(r.Images), Whole: true, Guess: guess}
	if metric == BalancedAccuracy {
		of = Measured{Images: effective(used, v, r.Training), Guess: guess}
	}
	f, err := NewFit(runs, of)
	if err != nil {
		return r, err
	}
	r.Now = value(f.At(r.Training))
	r.Now.Value = mean(used, r.Training, func(h Head) float64 { return h.Value(metric) })
	for _, times := range []int{2, 4} {
		r.Expected = append(r.Expected, value(f.At(times*r.Training)))
	}
	r.Verdict, r.Gain, r.Interval = judge(f.Gains(4))
	r.Worse = f.worse()
	r.Curve = f.points()
	return r, r.classes(used, v)
}

// points are those of the fitted curve, up to four times as many images.
func (f *Fit) points() (list []Point) {
	const steps = 48
	least, most := float64(f.sizes[0]), 4*float64(f.Total())
	for i := range steps + 1 {
		n := int(math.Round(least * math.Pow(most/least, float64(i)/steps)))
		if len(list) > 0 && n == list[len(list)-1].Images {
			continue
		}
		middle, around := f.Curve(n)
		list = append(list, Point{n, 1 - middle, Interval{1 - around[1], 1 - around[0]}})
	}
	return list
}

// value is an estimate of an error as one of its complement.
func value(e Estimate) Value {
	return Value{e.Images, 1 - e.Error, Interval{1 - e.Here[1], 1 - e.Here[0]}, Interval{1 - e.General[1], 1 - e.General[0]}}
}

// judge says what the draws of a gain mean.
func judge(gains []float64) (verdict Verdict, gain float64, around Interval) {
	worth := 0
	for _, g := range gains {
		gain += g / float64(len(gains))
		if g >= Worthwhile {
			worth++
		}
	}
	switch share := float64(worth) / float64(len(gains)); {
	case share >= sure:
		verdict = Helps
	case share <= 1-sure:
		verdict = Flat
	default:
		verdict = Unclear
	}
	return verdict, gain, interval(slices.Clone(gains))
}

// worse reports whether heads with all images have a larger error than those with the
// same seed and some smaller number, by more than three standard errors. Heads with all
// images have no choice of them, so their own spread says too little.
func (f *Fit) worse() bool {
	of := map[int]map[uint64]float64{}
	for _, r := range f.runs {
		if of[r.Images] == nil {
			of[r.Images] = map[uint64]float64{}
		}
		of[r.Images][r.Seed] = r.Error
	}
	choice := spread(f.level[f.Total()], f.of.Images)
	for _, n := range f.sizes[:len(f.sizes)-1] {
		var sum, squares, count float64
		for _, r := range f.runs {
			if less, ok := of[n][r.Seed]; ok && r.Images == f.Total() {
				d := r.Error - less
				sum, squares, count = sum+d, squares+d*d, count+1
			}
		}
		if count < 2 {
			continue
		}
		mean := sum / count
		variance := max(squares-sum*mean, 0)/(count-1)/count + choice
		if mean > Worthwhile && mean > 3*math.Sqrt(variance) {
			return true
		}
	}
	return false
}

// mean is that of something over the heads with a number of images.
func mean(heads []Head, images int, of func(Head) float64) float64 {
	sum, count := 0.0, 0.0
	for _, h := range heads {
		if h.Images == images {
			sum, count = sum+of(h), count+1
		}
	}
	return sum / count
}
