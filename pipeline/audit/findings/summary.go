package findings

import (
	"slices"
	"strings"

	"tftl/pipeline/audit"
)

// Summary is an audit in numbers.
type Summary struct {
	Tftl     string  `json:"tftl"` // version of the program
	Data     string  `json:"data"`
	Model    string  `json:"model"`
	Images   int     `json:"images"`
	Classes  int     `json:"classes"`
	Folds    int     `json:"folds"`
	Accuracy float64 `json:"accuracy"` // of the out-of-fold predictions, by the labels as they are
	// LabelErrors is the estimate; the findings are those that are sure enough to list.
	LabelErrors Estimate `json:"label_errors"`
	Confused    []Pair   `json:"confused"` // classes, the most first
	Found       []Count  `json:"found"`    // of every kind, in their order
	Copies      Groups   `json:"copies"`
	Baseline    *Known   `json:"baseline,omitempty"` // nil: there is none
	Gates       []Result `json:"gates"`
}

// Estimate is how many labels are wrong.
type Estimate struct {
	Images float64 `json:"images"`
	Share  float64 `json:"share"` // of the images
	Lower  float64 `json:"lower"` // of the 95% interval of the share
	Upper  float64 `json:"upper"`
}

// Pair is how many images with a label seem to be of another class.
type Pair struct {
	Label     string `json:"label"`
	Suggested string `json:"suggested"`
	Images    int    `json:"images"`
}

// Count is how many images have a finding of a kind.
type Count struct {
	Kind     audit.Kind `json:"kind"`
	Images   int        `json:"images"`
	Accepted int        `json:"accepted"` // of them
}

// Groups counts groups of copies. One counts as accepted if all its images are.
type Groups struct {
	Groups        int `json:"groups"`
	Accepted      int `json:"accepted"`
	Leaks         int `json:"leaks"` // groups with images of several parts
	LeaksAccepted int `json:"leaks_accepted"`
}

// Known is the use of a baseline.
type Known struct {
	Accepted int      `json:"accepted"` // findings
	New      int      `json:"new"`
	Gone     []string `json:"gone"` // entries that were not found again
}

// Use says how a baseline was used.
func Use(rows []Row, gone []Key) *Known {
	k := &Known{Gone: []string{}}
	for _, r := range rows {
		k.Accepted += one(r.Accepted)
		k.New += one(!r.Accepted)
	}
	for _, key := range gone {
		k.Gone = append(k.Gone, key.String())
	}
	return k
}

// Tally counts findings.
func Tally(rows []Row) (counts []Count, copies Groups) {
	for _, kind := range audit.Kinds() {
		c := Count{Kind: kind}
		for _, r := range rows {
			if r.Kind == kind {
				c.Images++
				c.Accepted += one(r.Accepted)
			}
		}
		counts = append(counts, c)
	}
	type group struct{ leak, open bool }
	groups := map[int]group{}
	for _, r := range rows {
		if r.Group > 0 {
			g := groups[r.Group]
			groups[r.Group] = group{g.leak || r.Leak, g.open || !r.Accepted}
		}
	}
	for _, g := range groups {
		copies.Groups++
		copies.Accepted += one(!g.open)
		copies.Leaks += one(g.leak)
		copies.LeaksAccepted += one(g.leak && !g.open)
	}
	return counts, copies
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Value is the number that a gate holds to its bound. Findings that a baseline has
// accepted do not count.
func (s Summary) Value(name string) float64 {
	switch name {
	case labelErrors:
		accepted := float64(s.count(audit.LabelError).Accepted)
		return max(0, s.LabelErrors.Images-accepted) / max(1, float64(s.Images))
	case leaks:
		return float64(s.Copies.Leaks - s.Copies.LeaksAccepted)
	case duplicates:
		return float64(s.Copies.Groups - s.Copies.Accepted)
	}
	total := 0
	for _, c := range s.Found {
		if name == findings || metric(c.Kind) == name {
			total += c.Images - c.Accepted
		}
	}
	return float64(total)
}

func (s Summary) count(kind audit.Kind) Count {
	if i := slices.IndexFunc(s.Found, func(c Count) bool { return c.Kind == kind }); i >= 0 {
		return s.Found[i]
	}
	return Count{Kind: kind}
}

// What gates call the numbers that are not of one kind.
const (
	labelErrors = "label_errors"
	leaks       = "leaks"
	duplicates  = "duplicates"
	findings    = "findings"
)

// Metrics lists what can be gated on.
func Metrics() []string {
	names := []string{labelErrors, leaks, duplicates}
	for _, k := range audit.Kinds() {
		if k != audit.LabelError && !k.Copies() {
			names = append(names, metric(k))
		}
	}
	return append(names, findings)
}

// metric is the name of the number of images of a kind.
func metric(k audit.Kind) string {
	if k == audit.Outlier {
		return "outliers"
	}
	return strings.ReplaceAll(string(k), "-", "_")
}
