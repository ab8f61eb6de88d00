package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// Abstention says what is promised of the predictions that are answered. Exactly one
// of its fields is set.
type Abstention struct {
	Risk     float64 // at most this share of the answers is wrong
	Coverage float64 // at least this share of the images is answered
}

const optionAbstain = pipeline.Option("abstain")

// Doubt is how often a promise may fail to hold: for one of 20 validation parts.
const Doubt = 0.05

// everything is a confidence that every prediction reaches.
const everything = 1e-6

// UnsureOfClass is the reason for no answer if no class is certain enough.
const UnsureOfClass = "confidence"

// ParseAbstention reads risk=X or coverage=X.
func ParseAbstention(text string) (a Abstention, err error) {
	name, number, _ := strings.Cut(text, "=")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0 && v <= 1) || name == "coverage" && v == 0 {
		name = ""
	}
	switch name {
	case "risk":
		if v < 1e-300 { // or the number of images is infinite
			err := pipeline.Errorf(pipeline.BadUsage, "%s %q: no number of images can promise that there is no mistake at all", optionAbstain, text)
			return a, pipeline.WithHint(err, "give a risk above 0, such as 0.01")
		}
		return Abstention{Risk: v}, nil
	case "coverage":
		return Abstention{Coverage: v}, nil
	}
	err = pipeline.Errorf(pipeline.BadUsage, "%s %q: must be risk=X or coverage=X with X above 0 and at most 1, or off", optionAbstain, text)
	return a, pipeline.WithHint(err, "for example %s risk=0.02: at most 2%% of the answers are wrong", optionAbstain)
}

// String is what ParseAbstention reads.
func (a Abstention) String() string {
	if a.Coverage > 0 {
		return "coverage=" + exact(a.Coverage)
	}
	return "risk=" + exact(a.Risk)
}

// Abstains says that the decision leaves some images without an answer.
func (d Decision) Abstains() bool { return d.Confidence > 0 }

// ConfidenceOf is how certain the predicted class is, from 0 to 1: its probability,
// or with a threshold the one it would have if the odds were shifted so that the
// threshold lies at one half.
func (d Decision) ConfidenceOf(probabilities []float32) float32 {
	if d.Threshold == 0 || len(probabilities) != 2 {
		return probabilities[argmax(probabilities)]
	}
	first := float64(probabilities[0]) * d.Threshold
	second := float64(probabilities[1]) * (1 - d.Threshold)
	if first+second == 0 {
		return 0.5
	}
	return float32(max(first, second) / (first + second))
}

// Unsure is the reason for which a row of probabilities gets no answer, or empty if
// it gets one.
func (d Decision) Unsure(probabilities []float32) string {
	if d.Abstains() && !(d.ConfidenceOf(probabilities) >= float32(d.Confidence)) {
		return UnsureOfClass
	}
	return ""
}

// Choice is a confidence that was chosen, and what it does on the samples that chose
// it.
type Choice struct {
	Confidence               float64
	Samples, Answered, Wrong int // Wrong of those answered
}

// Chosen says how a confidence came about, in words.
func (c Choice) Chosen(a Abstention) string {
	promise := "risk of at most " + exact(a.Risk)
	if a.Coverage > 0 {
		promise = "coverage of at least " + exact(a.Coverage)
	}
	return fmt.Sprintf("%s, with %d%% certainty, from %d images of the validation part", promise, percent(1-Doubt), c.Samples)
}

// AnswersAll says that the decision abstains, but never had to.
func (d Decision) AnswersAll() bool { return d.Confidence == everything }

func percent(share float64) int { return int(math.Round(100 * share)) }

// ChooseConfidence is the lowest confidence that keeps a promise. The predictions are
// at the decision's temperature. If they are drawn independently from what the model
// will meet, and neither it nor the decision was chosen on them, the promise holds for
// all but a share Doubt of such samples.
//
// The risk is promised by the exact binomial bounds of a few sets of the most
// confident samples, whose sizes only the number of samples decides. Given the next
// confidence, the samples above it are independent, so each bound is valid. Together
// they fail at most as often as the sum of their shares of Doubt; so all hold at once,
// whichever is used and however often another risk is asked for.
//
// The coverage is promised by the rank of the lowest confidence that is answered,
// whatever the distribution is (Wilks' tolerance limit).
func ChooseConfidence(predictions []pipeline.Prediction, d Decision, a Abstention) (Choice, error) {
	list, err := d.sorted(predictions)
	if err != nil {
		return Choice{}, err
	}
	if a.Coverage > 0 {
		return list.covering(a.Coverage), nil
	}
	bounds := list.bounds()
	best, least := -1, 1.0
	for i, b := range bounds {
		least = min(least, b.risk)
		if b.risk <= a.Risk && (best < 0 || b.Answered > bounds[best].Answered) {
			best = i
		}
	}
	if best >= 0 {
		return bounds[best].Choice, nil
	}
	return Choice{}, list.cannot(a.Risk, least)
}

// rated is how certain a prediction is, and whether it is wrong.
type rated struct {
	confidence float32
	wrong      bool
}

// ratings are those of samples, the most certain first.
type ratings []rated

func (d Decision) sorted(predictions []pipeline.Prediction) (ratings, error) {
	list := make(ratings, len(predictions))
	for i, p := range predictions {
		c := d.ConfidenceOf(p.Probabilities)
		if math.IsNaN(float64(c)) {
			return nil, pipeline.Errorf(pipeline.BadModel, "sample %q: its probability is NaN", p.Sample.ID)
		}
		list[i] = rated{c, d.Class(p.Probabilities) != p.Sample.Label}
	}
	if len(list) == 0 {
		return nil, pipeline.Errorf(pipeline.BadData, "no samples to choose a confidence on")
	}
	slices.SortStableFunc(list, func(a, b rated) int { return cmp.Compare(b.confidence, a.confidence) })
	return list, nil
}

// bound is the largest risk that is likely, given the samples.
type bound struct {
	Choice
	risk float64
}

// shares are the parts of all samples whose risk is bounded, apart from all of them.
func shares() []float64 {
	return []float64{0.975, 0.95, 0.925, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3}
}

// bounds are the risk of answering all, for which half of Doubt is spent, and of
// answering fewer, among which the other half is divided.
func (r ratings) bounds() []bound {
	n := len(r)
	var sizes []int
	for _, share := range shares() {
		if k := int(share * float64(n)); k > 0 && k < n {
			sizes = append(sizes, k)
		}
	}
	sizes = slices.Compact(sizes)
	all := Choice{Confidence: everything, Samples: n, Answered: n, Wrong: r.wrong(n)}
	bounds := []bound{{all, riskBound(all.Wrong, n, Doubt/2)}}
	for _, k := range sizes {
		// Those above the confidence of sample k, without the ones that share it.
		answered := k
		for answered > 0 && r[answered-1].confidence == r[k].confidence {
			answered--
		}
		if answered == 0 {
			continue
		}
		c := Choice{Samples: n, Answered: answered, Wrong: r.wrong(answered)}
		c.Confidence = float64(math.Nextafter32(r[k].confidence, 2))
		bounds = append(bounds, bound{c, riskBound(c.Wrong, answered, Doubt/2/float64(len(sizes)))})
	}
	return bounds
}

// covering is the choice that promises a coverage.
func (r ratings) covering(coverage float64) Choice {
	n := len(r)
	all := Choice{Confidence: everything, Samples: n, Answered: n, Wrong: r.wrong(n)}
	// The k most confident are enough if it is unlikely that as many are above the
	// confidence that the wanted share reaches.
	k := 1 + sort.Search(n, func(i int) bool { return binomialBelow(i, n, coverage) >= 1-Doubt })
	if k > n {
		return all
	}
	lowest := r[k-1].confidence
	for k < n && r[k].confidence == lowest {
		k++
	}
	return Choice{Confidence: max(float64(lowest), everything), Samples: n, Answered: k, Wrong: r.wrong(k)}
}

func (r ratings) wrong(first int) (n int) {
	for _, s := range r[:first] {
		if s.wrong {
			n++
		}
	}
	return n
}

// cannot is the error for a risk that cannot be promised.
func (r ratings) cannot(risk, least float64) error {
	n, fewest := len(r), math.Ceil(math.Log(Doubt/2)/math.Log1p(-risk)) // may be more than an int
	why := fmt.Sprintf("on the %d images of the validation part the model is too often wrong where it is confident", n)
	if float64(n) < fewest {
		why = fmt.Sprintf("%d images of the validation part are too few, even without a mistake: it takes at least %.0f", n, fewest)
	}
	err := pipeline.Errorf(pipeline.BadData, "%s risk=%s: cannot be promised: %s", optionAbstain, exact(risk), why)
	least = math.Ceil(least*1000) / 1000
	if least >= 1 {
		return pipeline.WithHint(err, "use a larger validation part")
	}
	return pipeline.WithHint(err, "the smallest risk that this validation part can promise is %s; with more images it is smaller", exact(least))
}

// riskBound is the largest share of mistakes with which this few among n samples are
// not less likely than doubt: Clopper and Pearson's upper bound.
func riskBound(wrong, n int, doubt float64) float64 {
	if wrong >= n {
		return 1
	}
	if wrong == 0 {
		return -math.Expm1(math.Log(doubt) / float64(n))
	}
	low, high := float64(wrong)/float64(n), 1.0
	for range 60 {
		if p := (low + high) / 2; binomialBelow(wrong, n, p) > doubt {
			low = p
		} else {
			high = p
		}
	}
	return high
}

// binomialBelow is the probability of at most k hits in n draws.
func binomialBelow(k, n int, p float64) float64 {
	switch {
	case k >= n || p <= 0:
		return 1
	case k < 0 || p >= 1:
		return 0
	}
	// From the largest term outwards nothing is lost to rounding.
	log, logRest := math.Log(p), math.Log1p(-p)
	all, _ := math.Lgamma(float64(n + 1))
	sum := 0.0
	for i := k; i >= 0; i-- {
		a, _ := math.Lgamma(float64(i + 1))
		b, _ := math.Lgamma(float64(n - i + 1))
		term := math.Exp(all - a - b + float64(i)*log + float64(n-i)*logRest)
		sum += term
		if float64(i) < p*float64(n) && term < 1e-18*sum {
			break
		}
	}
	return min(sum, 1)
}
