package metrics

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Run is what a ranking knows of a run.
type Run struct {
	Name   string
	Group  string          // shared by the seeds and folds of one setting; Name without them
	Seed   string          // of a group with several; empty: the group has one
	Best   *pipeline.Epoch // nil: the run has none yet
	Report *Report         // of the test part; nil: it was not evaluated
}

// Place is a row of a ranking: a run, or the seeds and folds of one setting.
type Place struct {
	Rank       int // from 1; 0: none, because there is nothing to rank it by
	Name       string
	Folds      int // 0: a run without folds
	Seeds      int // 0: a single seed
	Validation Metric
	Test       []Metric // by Ranking.Test
	Gates      int
	Missed     int   // gates that failed
	Runs       []int // indexes of the ranked runs
}

// Ranking is runs from best to worst.
type Ranking struct {
	By     string   // a metric of the validation part as the history names it: val_loss
	Test   []string // metrics of the test part that are shown beside it
	Places []Place
	Lack   []string // runs whose history lacks By: a version that did not measure it trained them
}

// Rank orders runs by a metric of the validation part, because choosing by the
// test part would make its metrics optimistic. Runs without the metric come
// last. The folds and the seeds of one setting share a place, by their mean. There
// is none if one is missing: the mean of the other folds would cover other images,
// and a seed that failed says something about its setting.
func Rank(runs []Run, by string) Ranking {
	metric := strings.TrimPrefix(by, "val_")
	r := Ranking{By: by, Test: []string{"accuracy", "f1", "loss"}}
	if !slices.Contains(r.Test, metric) {
		r.Test = append(r.Test, metric)
	}
	for i, run := range runs {
		if run.Best != nil {
			if _, ok := run.Best.Value(by); !ok {
				r.Lack = append(r.Lack, run.Name)
			}
		}
		if at := slices.IndexFunc(r.Places, func(p Place) bool { return p.Name == run.Group }); at >= 0 {
			r.Places[at].Runs = append(r.Places[at].Runs, i)
		} else {
			r.Places = append(r.Places, Place{Name: run.Group, Runs: []int{i}})
		}
	}
	for i := range r.Places {
		r.fill(&r.Places[i], runs)
	}
	higher := !LowerIsBetter(metric)
	slices.SortStableFunc(r.Places, func(p, q Place) int {
		a, b := p.Validation.Value, q.Validation.Value
		switch {
		case math.IsNaN(a) && math.IsNaN(b):
			return 0
		case math.IsNaN(a):
			return 1
		case math.IsNaN(b):
			return -1
		case higher:
			a, b = b, a
		}
		return cmp.Compare(a, b)
	})
	for i := range r.Places {
		if !math.IsNaN(r.Places[i].Validation.Value) {
			r.Places[i].Rank = i + 1
		}
	}
	return r
}

// fill measures a place.
func (r Ranking) fill(p *Place, runs []Run) {
	first := runs[p.Runs[0]]
	seeds := make([][]int, 0, len(p.Runs)) // the runs of each, by their positions in p.Runs
	at := map[string]int{}
	for i, run := range p.Runs {
		seed := runs[run].Seed
		if _, ok := at[seed]; !ok {
			at[seed] = len(seeds)
			seeds = append(seeds, nil)
		}
		seeds[at[seed]] = append(seeds[at[seed]], i)
	}
	if len(seeds) > 1 {
		p.Seeds = len(seeds)
	}
	if folds := len(p.Runs) / len(seeds); folds > 1 || p.Seeds == 0 && first.Name != first.Group {
		p.Folds = folds
	}
	var validation []float64
	for _, i := range p.Runs {
		validation = append(validation, runs[i].Validation(r.By))
		if report := runs[i].Report; report != nil {
			for _, o := range report.Gates {
				p.Gates++
				if !o.Passed {
					p.Missed++
				}
			}
		}
	}
	p.Validation = p.mean(r.By, validation, seeds)
	for _, name := range r.Test {
		var test []float64
		for _, i := range p.Runs {
			test = append(test, runs[i].Test(name).Value)
		}
		if m := p.mean(name, test, seeds); p.Folds+p.Seeds > 0 {
			p.Test = append(p.Test, m)
		} else {
			p.Test = append(p.Test, first.Test(name))
		}
	}
}

// mean is the mean over a place's seeds, each the mean over its folds; over the
// folds if there is one seed.
func (p Place) mean(name string, values []float64, seeds [][]int) Metric {
	if p.Seeds == 0 {
		return MeanOver(name, values)
	}
	var means []float64
	for _, runs := range seeds {
		var sum float64
		for _, i := range runs {
			sum += values[i]
		}
		means = append(means, sum/float64(len(runs)))
	}
	return SpreadOver(name, means)
}

// Validation is a metric of the validation part by its name in the history, at the
// best epoch; NaN if there is none.
func (r Run) Validation(name string) float64 {
	if r.Best != nil {
		if v, ok := r.Best.Value(name); ok {
			return v
		}
	}
	return math.NaN()
}

// Test is a metric of the test part; without a value if there is none.
func (r Run) Test(name string) Metric {
	if r.Report != nil {
		if m, err := r.Report.Metric(name); err == nil {
			return m
		}
	}
	return undefined(name)
}

// Best is the index of the best run: of the best place, the one with the best
// value. It is -1 if no run has a rank or the best place belongs to folds.
func (r Ranking) Best(runs []Run) int {
	if len(r.Places) == 0 || r.Places[0].Rank != 1 || r.Places[0].Folds > 0 {
		return -1
	}
	lower := LowerIsBetter(strings.TrimPrefix(r.By, "val_"))
	best := r.Places[0].Runs[0]
	for _, i := range r.Places[0].Runs {
		a, b := runs[i].Validation(r.By), runs[best].Validation(r.By)
		if a < b && lower || a > b && !lower {
			best = i
		}
	}
	return best
}
