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
	Group  string          // what the folds of one run share; Name without folds
	Best   *pipeline.Epoch // nil: the run has none yet
	Report *Report         // of the test part; nil: it was not evaluated
}

// Place is a row of a ranking: a run, or the folds of one.
type Place struct {
	Rank       int // from 1; 0: none, because there is nothing to rank it by
	Name       string
	Folds      int // 0: a run without folds
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
// last. The folds of one run share a place, by their mean. There is none if a fold
// is missing, because the mean of the others would cover other images.
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
	if first.Name != first.Group {
		p.Folds = len(p.Runs)
	}
	var validation []float64
	test := make([][]float64, len(r.Test))
	for _, at := range p.Runs {
		run := runs[at]
		value := math.NaN()
		if run.Best != nil {
			if v, ok := run.Best.Value(r.By); ok {
				value = v
			}
		}
		validation = append(validation, value)
		for k, name := range r.Test {
			test[k] = append(test[k], run.metric(name).Value)
		}
		if run.Report == nil {
			continue
		}
		for _, o := range run.Report.Gates {
			p.Gates++
			if !o.Passed {
				p.Missed++
			}
		}
	}
	p.Validation = MeanOver(r.By, validation)
	for k, name := range r.Test {
		if p.Folds == 0 {
			p.Test = append(p.Test, first.metric(name))
		} else {
			p.Test = append(p.Test, MeanOver(name, test[k]))
		}
	}
}

// metric is one of the test part, or without a value.
func (r Run) metric(name string) Metric {
	if r.Report != nil {
		if m, err := r.Report.Metric(name); err == nil {
			return m
		}
	}
	return undefined(name)
}

// Best is the name of the best run, or empty if no run has a rank or the best
// place belongs to folds.
func (r Ranking) Best() string {
	if len(r.Places) > 0 && r.Places[0].Rank == 1 && r.Places[0].Folds == 0 {
		return r.Places[0].Name
	}
	return ""
}
