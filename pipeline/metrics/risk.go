package metrics

import (
	"cmp"
	"math"
	"slices"
)

// answering is what a sheet knows of the samples that are answered.
type answering struct {
	ranked   []int32 // the samples, the most confident first
	tied     []bool  // by rank: as confident as the one before
	answered []bool  // by sample; nil unless the decision abstains
	setSize  []float64
	covered  []bool // the set has the true class; nil without sets
}

func newAnswering(s *sheet, d Decision) (a answering) {
	confidence := make([]float32, len(s.rows))
	for i, row := range s.rows {
		confidence[i] = d.ConfidenceOf(row)
		if d.Abstains() {
			a.answered = append(a.answered, d.Unsure(row) == "")
		}
		if d.HasSets() {
			size, has := d.setSize(row, s.label[i])
			a.setSize, a.covered = append(a.setSize, float64(size)), append(a.covered, has)
		}
	}
	a.ranked = make([]int32, len(confidence))
	for i := range a.ranked {
		a.ranked[i] = int32(i)
	}
	slices.SortStableFunc(a.ranked, func(i, j int32) int { return cmp.Compare(confidence[j], confidence[i]) })
	a.tied = make([]bool, len(confidence))
	for k := 1; k < len(a.ranked); k++ {
		a.tied[k] = confidence[a.ranked[k]] == confidence[a.ranked[k-1]]
	}
	return a
}

// riskArea is the area under the risk-coverage curve: the mean, over how many are
// answered, of the share of wrong ones among the most confident. Equally confident
// samples are taken in random order, so their mistakes are spread evenly.
func (s *sheet) riskArea(times []uint8) float64 {
	var area float64
	samples, wrong := 0, 0
	for k := 0; k < len(s.ranked); {
		more, mistakes := 0, 0
		for first := true; k < len(s.ranked) && (first || s.tied[k]); k++ {
			i := s.ranked[k]
			more += int(times[i])
			if s.choice[i] != s.label[i] {
				mistakes += int(times[i])
			}
			first = false
		}
		share := ratio(mistakes, more)
		for j := 1; j <= more; j++ {
			area += (float64(wrong) + float64(j)*share) / float64(samples+j)
		}
		samples, wrong = samples+more, wrong+mistakes
	}
	return area / float64(samples)
}

// answers counts who is answered, and what is in the sets.
type answers struct {
	answered, wrong int
	ofClass         []int // answered, by true class; nil unless the decision abstains
	size            float64
	covered         int
	coveredOf       []int // by true class; nil without sets
}

// recountAnswers counts in the memory of another count.
func (s *sheet) recountAnswers(a answers, times []uint8) answers {
	a = answers{ofClass: a.ofClass, coveredOf: a.coveredOf}
	if s.answered == nil && s.covered == nil {
		return a
	}
	if a.ofClass == nil {
		a.ofClass, a.coveredOf = make([]int, len(s.classes)), make([]int, len(s.classes))
	}
	clear(a.ofClass)
	clear(a.coveredOf)
	for i, t := range times {
		n := int(t)
		if s.answered != nil && s.answered[i] {
			a.answered += n
			a.ofClass[s.label[i]] += n
			if s.choice[i] != s.label[i] {
				a.wrong += n
			}
		}
		if s.covered == nil {
			continue
		}
		a.size += s.setSize[i] * float64(n)
		if s.covered[i] {
			a.covered += n
			a.coveredOf[s.label[i]] += n
		}
	}
	return a
}

func aurc(c *count) float64                        { return c.riskArea }
func coverage(c *count) float64                    { return ratio(c.answers.answered, c.samples) }
func classCoverage(c *count, class int) float64    { return shareOf(c.ofClass, c, class) }
func answered(c *count) float64                    { return float64(c.answers.answered) }
func meanSetSize(c *count) float64                 { return c.answers.size / float64(c.samples) }
func setCoverage(c *count) float64                 { return ratio(c.answers.covered, c.samples) }
func classSetCoverage(c *count, class int) float64 { return shareOf(c.coveredOf, c, class) }
func shareOf(of []int, c *count, class int) float64 {
	if c.support[class] == 0 {
		return math.NaN()
	}
	return ratio(of[class], c.support[class])
}

// selectiveRisk is the share of wrong answers, NaN if nothing is answered.
func selectiveRisk(c *count) float64 {
	if c.answers.answered == 0 {
		return math.NaN()
	}
	return ratio(c.answers.wrong, c.answers.answered)
}

// RiskPoint is how often the most confident predictions are wrong.
type RiskPoint struct {
	Coverage, Risk float64 // of answering those at least as confident
	Confidence     float32
}

// RiskCurve is the risk of answering more and more samples, one point for each
// confidence.
func RiskCurve(t Table, d Decision) ([]RiskPoint, error) {
	list, err := d.sorted(t.Calibrate(d))
	if err != nil {
		return nil, err
	}
	var points []RiskPoint
	wrong := 0
	for i, s := range list {
		if s.wrong {
			wrong++
		}
		if i+1 == len(list) || list[i+1].confidence != s.confidence {
			points = append(points, RiskPoint{ratio(i+1, len(list)), ratio(wrong, i+1), s.confidence})
		}
	}
	return points, nil
}
