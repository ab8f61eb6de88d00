package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tftl/pipeline"
)

// Figure is one named figure of a report with its 95% interval. Both bounds
// are NaN where there is none.
type Figure struct {
	Name         string
	Value        float64
	Lower, Upper float64
	Method       string // of the interval: "wilson", "bootstrap", or empty where there is none
}

// Figures are all of a report: the overall ones, then those of each class,
// named as in recall[cat]. These are the names that Figure knows.
func (r Report) Figures() []Figure {
	titles, values := r.titles(), r.values()
	figures := make([]Figure, len(titles))
	for i, t := range titles {
		f := Figure{Name: t.name, Value: values[i], Lower: math.NaN(), Upper: math.NaN()}
		if interval, ok := r.Intervals[t.name]; ok {
			f.Lower, f.Upper, f.Method = interval[0], interval[1], "bootstrap"
			if t.proportion() {
				f.Method = "wilson"
			}
		}
		figures[i] = f
	}
	return figures
}

// Figure finds a figure by its name. The error of an unknown one lists those
// that are known.
func (r Report) Figure(name string) (Figure, error) {
	figures := r.Figures()
	if i := slices.IndexFunc(figures, func(f Figure) bool { return f.Name == name }); i >= 0 {
		return figures[i], nil
	}
	of, class, _ := strings.Cut(name, "[")
	if class, perClass := strings.CutSuffix(class, "]"); perClass && slices.Contains(classFigures(), of) {
		var known []string
		for _, c := range r.Classes {
			known = append(known, display(c.Name, nameRunes))
		}
		return Figure{}, pipeline.Errorf(pipeline.BadUsage, "metric %q: the model has no class %q: it has %s",
			name, class, some(known, 50))
	}
	known := r.overall()
	for _, of := range classFigures() {
		known = append(known, of+"[CLASS]")
	}
	return Figure{}, pipeline.Errorf(pipeline.BadUsage, "metric %q: must be one of %s", name, strings.Join(known, ", "))
}

// LowerIsBetter reports whether a smaller value of a figure is a better one.
func LowerIsBetter(name string) bool {
	of, _, _ := strings.Cut(name, "[")
	return of == "loss" || of == "brier" || of == "ece"
}

// title is a figure's name and what it is made of.
type title struct {
	name  string
	of    string // without the class
	class int    // -1 for an overall figure
}

// titles are those of values.
func (r Report) titles() []title {
	var all []title
	for _, name := range r.overall() {
		all = append(all, title{name, name, -1})
	}
	for i, c := range r.Classes {
		for _, of := range classFigures() {
			all = append(all, title{of + "[" + c.Name + "]", of, i})
		}
	}
	return all
}

// proportion says of which figures each sample is counted or not, which is what
// Wilson's interval is for. Of the averages, these are accuracy by another name.
func (t title) proportion() bool {
	switch t.of {
	case "accuracy", "precision_micro", "recall_micro", "f1_micro", "recall_weighted":
		return true
	case "precision", "recall":
		return t.class >= 0
	}
	return strings.HasPrefix(t.of, "top_")
}

// decided says of which figures the decisions alone count, not the probabilities.
func (t title) decided() bool {
	return !slices.Contains([]string{"loss", "roc_auc", "average_precision", "brier", "ece"}, t.of)
}

// overall are the names of a report's figures that belong to no class.
func (r Report) overall() []string {
	names := []string{"loss", "accuracy"}
	if r.TopK > 0 {
		names = append(names, fmt.Sprintf("top_%d_accuracy", r.TopK))
	}
	return append(names, "balanced_accuracy",
		"precision", "recall", "f1",
		"precision_micro", "recall_micro", "f1_micro",
		"precision_weighted", "recall_weighted", "f1_weighted",
		"kappa", "mcc", "roc_auc", "average_precision", "brier", "ece")
}

// classFigures are the figures that each class has.
func classFigures() []string {
	return []string{"precision", "recall", "f1", "roc_auc", "average_precision"}
}

// values are the figures in the order of titles.
func (r Report) values() []float64 {
	values := []float64{r.Loss, r.Accuracy}
	if r.TopK > 0 {
		values = append(values, r.TopKAccuracy)
	}
	values = append(values, r.BalancedAccuracy)
	for _, s := range []Scores{r.Macro, r.Micro, r.Weighted} {
		values = append(values, s.Precision, s.Recall, s.F1)
	}
	values = append(values, r.Kappa, r.MCC, r.ROCAUC, r.AveragePrecision, r.Brier, r.ECE)
	for _, c := range r.Classes {
		values = append(values, c.Precision, c.Recall, c.F1, c.ROCAUC, c.AveragePrecision)
	}
	return values
}
