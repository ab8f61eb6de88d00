package metrics

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"tftl/pipeline"
)

// Unfamiliar is the reason for no answer if an image is unlike the training images.
const Unfamiliar = "unfamiliar"

// ChecksNovelty says that the decision leaves unfamiliar images without an answer.
func (d Decision) ChecksNovelty() bool { return d.Novelty > 0 }

// LeavesOut says that the decision leaves some images without an answer, for whichever
// reason.
func (d Decision) LeavesOut() bool { return d.Abstains() || d.ChecksNovelty() }

// WhyUnsure is the reason for which a prediction gets no answer, or empty if it gets
// one. The prediction is at the decision's temperature.
func (d Decision) WhyUnsure(p pipeline.Prediction) string {
	if d.ChecksNovelty() && !(p.Novelty <= 1) {
		return Unfamiliar
	}
	return d.Unsure(p.Probabilities)
}

// The metrics of novelty, which AddNovelty measures.
const (
	metricFamiliar      = "familiar"
	metricNoveltyRecall = "novelty_recall"
	metricNoveltyROC    = "novelty_roc_auc"
	metricNoveltyFPR    = "novelty_fpr95"
)

// noveltyDefinitions are the metrics of novelty. They come from no sheet, because they
// are also about images of other things.
func noveltyDefinitions() []definition {
	never, none := func(Decision) bool { return false }, func(*count) float64 { return math.NaN() }
	return []definition{
		{name: metricFamiliar, max: 1, interval: proportion, needs: never, overall: none},
		{name: metricNoveltyRecall, max: 1, interval: proportion, needs: never, overall: none},
		{name: metricNoveltyROC, title: "Novelty ROC AUC", max: 1, interval: score, needs: never, overall: none},
		{name: metricNoveltyFPR, title: "Novelty FPR at 95% TPR", lowerIsBetter: true, max: 1, interval: score, needs: never, overall: none},
	}
}

// ofNovelty says which images a metric of novelty is about.
func ofNovelty(name string) (familiar, others bool) {
	return name == metricFamiliar, name == metricNoveltyRecall || name == metricNoveltyROC || name == metricNoveltyFPR
}

// lacksNovelty is the error for a metric of novelty that is not measured, by a decision
// that checks it or not.
func lacksNovelty(name string, checks bool) error {
	if _, others := ofNovelty(name); others && checks {
		err := pipeline.Errorf(pipeline.BadUsage, "metric %q: there are no images of other things", name)
		return pipeline.WithHint(err, "also give %s DIR", pipeline.Option("unfamiliar"))
	}
	err := pipeline.Errorf(pipeline.BadUsage, "metric %q: to the model every image is familiar", name)
	return pipeline.WithHint(err, "also give %s 0.95", pipeline.Option("novelty"))
}

// AddNovelty measures the novelty of the samples and of images of other things, of which
// there may be none: the share of the samples that are familiar; of the other images
// the share that are not; the area under the ROC curve, which is how often another image
// is newer than a sample; and the share of other images that pass if the limit is such
// that 95% of the samples pass.
func (r *Report) AddNovelty(ctx context.Context, samples, others []float32) error {
	s := newScores(samples, others)
	familiar, found := 0, 0
	for _, v := range samples {
		if v <= 1 {
			familiar++
		}
	}
	for _, v := range others {
		if !(v <= 1) {
			found++
		}
	}
	r.add(metricFamiliar, ratio(familiar, len(samples)), wilson(ratio(familiar, len(samples)), float64(len(samples))))
	if len(others) == 0 {
		return nil
	}
	r.add(metricNoveltyRecall, ratio(found, len(others)), wilson(ratio(found, len(others)), float64(len(others))))
	of, ofOthers := once(len(samples)), once(len(others))
	area, passed := s.measure(of, ofOthers)
	var areas, shares []float64
	for i := range r.Resamples {
		random := rand.NewPCG(r.Seed, uint64(i))
		draw(of, random)
		draw(ofOthers, random)
		a, p := s.measure(of, ofOthers)
		areas, shares = append(areas, a), append(shares, p)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	fewest := float64(min(len(samples), len(others)))
	r.add(metricNoveltyROC, area, scored(area, 0, 1, areas, fewest))
	r.add(metricNoveltyFPR, passed, scored(passed, 0, 1, shares, fewest))
	return nil
}

func (r *Report) add(name string, value float64, interval Interval) {
	r.Values[name] = value
	if r.Resamples > 0 && interval.exists() {
		r.Intervals[name] = interval
	}
}

// scores are novelties, the smallest first.
type scores []scoreOf

type scoreOf struct {
	novelty float32
	index   int  // among the samples, or the other images
	other   bool // which it is
}

func newScores(samples, others []float32) (s scores) {
	for k, list := range [][]float32{samples, others} {
		for i, v := range list {
			if math.IsNaN(float64(v)) { // unfamiliar, and equal to itself
				v = float32(math.Inf(1))
			}
			s = append(s, scoreOf{v, i, k == 1})
		}
	}
	slices.SortStableFunc(s, func(a, b scoreOf) int { return cmp.Compare(a.novelty, b.novelty) })
	return s
}

// familiarKept is the share of familiar images that pass where FPR95 is taken.
const familiarKept = 0.95

// measure returns the area under the ROC curve, and the share of other images that pass
// if 95% of the samples do. Each is counted some times.
func (s scores) measure(samples, others []uint8) (area, passed float64) {
	var n, m int
	for _, t := range samples {
		n += int(t)
	}
	for _, t := range others {
		m += int(t)
	}
	var below, passing, pairs int // pairs in the right order, each twice
	reached := false
	for i := 0; i < len(s); {
		tied, tiedOthers := 0, 0
		for first := i; i < len(s) && s[i].novelty == s[first].novelty; i++ {
			if s[i].other {
				tiedOthers += int(others[s[i].index])
			} else {
				tied += int(samples[s[i].index])
			}
		}
		pairs += tiedOthers * (2*below + tied)
		below += tied
		if !reached {
			passing += tiedOthers
			reached = float64(below) >= familiarKept*float64(n)-rounding
		}
	}
	return float64(pairs) / 2 / float64(n) / float64(m), ratio(passing, m)
}
