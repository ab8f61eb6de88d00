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
// named as in recall[cat]. They are the names that Figure knows.
func (r Report) Figures() []Figure {
	names, values := r.names(), r.values()
	figures := make([]Figure, len(names))
	for i, name := range names {
		f := Figure{Name: name, Value: values[i], Lower: math.NaN(), Upper: math.NaN()}
		if interval, ok := r.Intervals[name]; ok {
			f.Lower, f.Upper, f.Method = interval[0], interval[1], "bootstrap"
			if isProportion(base(name)) {
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
	of, class, perClass := strings.Cut(name, "[")
	if perClass && slices.Contains(classFigures(), of) {
		var known []string
		for _, c := range r.Classes {
			known = append(known, display(c.Name, nameRunes))
		}
		return Figure{}, pipeline.Errorf(pipeline.BadUsage, "metric %q: %q is no class of the model: it has %s",
			name, strings.TrimSuffix(class, "]"), strings.Join(known, ", "))
	}
	known := r.overall()
	for _, of := range classFigures() {
		known = append(known, of+"[CLASS]")
	}
	return Figure{}, pipeline.Errorf(pipeline.BadUsage, "metric %q: must be one of %s", name, strings.Join(known, ", "))
}

// LowerIsBetter reports whether a smaller value of a figure is a better one.
func LowerIsBetter(name string) bool {
	return slices.Contains([]string{"loss", "brier", "ece"}, base(name))
}

// base is a name without its class: recall[cat] is a recall.
func base(name string) string {
	of, _, _ := strings.Cut(name, "[")
	return of
}

// isProportion says of which figures each sample is counted or not, which is
// what Wilson's interval is for. Of an averaged figure, these are accuracy by
// another name.
func isProportion(name string) bool {
	switch name {
	case "accuracy", "precision_micro", "recall_micro", "f1_micro", "recall_weighted":
		return true
	}
	return strings.HasPrefix(name, "top_")
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

// names are those of values.
func (r Report) names() []string {
	names := r.overall()
	for _, c := range r.Classes {
		for _, of := range classFigures() {
			names = append(names, of+"["+c.Name+"]")
		}
	}
	return names
}

// values are the figures in the order of names.
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
