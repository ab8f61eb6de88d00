package metrics

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// definition is one metric. A row of definitions is all it takes to add one:
// values, JSON, gates, intervals, comparisons, tables and the help text follow.
type definition struct {
	name  string
	title string // for people; empty: the name without its underscores
	in    string // the object of evaluation.json that holds it; empty: the document itself

	lowerIsBetter   bool
	headline        bool // one of the few at the top of a report
	monitored       bool // computed after each epoch, so keep it cheap
	ofProbabilities bool // depends on the probabilities, not only on their order within each sample
	min, max        float64

	overall func(*count) float64
	class   func(*count, int) float64 // nil: there is no such metric of one class

	interval, classInterval method
	needs                   func(Decision) bool       // what a decision must have; nil: nothing
	size                    func(*count) float64      // samples behind the overall metric; nil: all
	terms                   func(*sheet) []float64    // of a mean with a skewed interval; nil: of no mean
	classSize               func(*count, int) float64 // samples behind the metric of one class; nil: those of the class
}

// method says how a metric gets its 95% interval.
type method string

const (
	proportion method = "wilson" // each sample either counts or does not: Wilson's
	score      method = "scaled" // Wilson's, for the number of samples at which a proportion would vary as much
	skewed     method = "bca"    // bootstrap, corrected for bias and skew
)

// topKAccuracy stands for the top-k accuracy of any k: top_5_accuracy.
const topKAccuracy = "top_k_accuracy"

// definitions lists every metric, in the order in which reports list them.
func definitions() []definition {
	return append([]definition{
		{
			name: "loss", lowerIsBetter: true, headline: true, monitored: true, ofProbabilities: true, max: math.Inf(1),
			overall: meanLoss, interval: skewed, terms: func(s *sheet) []float64 { return s.loss },
		},
		{name: "accuracy", headline: true, monitored: true, max: 1, overall: accuracy, interval: proportion},
		{name: topKAccuracy, max: 1, overall: topAccuracy, interval: proportion},
		{name: "balanced_accuracy", headline: true, monitored: true, max: 1, overall: balancedAccuracy, interval: score},
		{
			name: "precision", in: "macro", max: 1, overall: macro(precision), interval: score,
			class: precision, classInterval: proportion, classSize: timesPredicted,
		},
		{name: "recall", in: "macro", max: 1, overall: macro(recall), interval: score, class: recall, classInterval: proportion},
		{
			name: "f1", title: "F1", in: "macro", headline: true, monitored: true, max: 1, overall: macro(f1), interval: score,
			class: f1, classInterval: score,
		},
		// The counts of all classes together: each of these is the accuracy.
		{name: "precision_micro", in: "micro", max: 1, overall: accuracy, interval: proportion},
		{name: "recall_micro", in: "micro", max: 1, overall: accuracy, interval: proportion},
		{name: "f1_micro", title: "F1", in: "micro", max: 1, overall: accuracy, interval: proportion},
		{name: "precision_weighted", in: "weighted", max: 1, overall: weighted(precision), interval: score},
		{name: "recall_weighted", in: "weighted", max: 1, overall: weighted(recall), interval: proportion}, // the accuracy too
		{name: "f1_weighted", title: "F1", in: "weighted", max: 1, overall: weighted(f1), interval: score},
		{name: "kappa", title: "Cohen’s kappa", min: -1, max: 1, overall: kappa, interval: score},
		{name: "mcc", title: "Matthews correlation", min: -1, max: 1, overall: mcc, interval: score},
		{
			name: "roc_auc", title: "ROC AUC", headline: true, ofProbabilities: true, max: 1, overall: meanOfDefined(rocAUC), interval: score,
			class: rocAUC, classInterval: score, classSize: smallerSide,
		},
		{
			name: "average_precision", ofProbabilities: true, max: 1, overall: meanOfDefined(averagePrecision), interval: score,
			class: averagePrecision, classInterval: score,
		},
		{
			name: "brier", title: "Brier score", lowerIsBetter: true, ofProbabilities: true, max: 2, // 1 for two classes
			overall: meanBrier, interval: skewed, terms: func(s *sheet) []float64 { return s.brier },
		},
		{
			name: "ece", title: "Calibration error", lowerIsBetter: true, headline: true, ofProbabilities: true, max: 1,
			overall: ece, interval: skewed,
		},
		{
			name: "aurc", title: "Area under risk-coverage", lowerIsBetter: true, ofProbabilities: true, max: 1,
			overall: aurc, interval: score,
		},
		{
			name: "coverage", ofProbabilities: true, max: 1, needs: Decision.Abstains,
			overall: coverage, interval: proportion, class: classCoverage, classInterval: proportion,
		},
		{
			name: "selective_risk", lowerIsBetter: true, ofProbabilities: true, max: 1, needs: Decision.Abstains,
			overall: selectiveRisk, interval: proportion, size: answered,
		},
		{
			name: "set_coverage", ofProbabilities: true, max: 1, needs: Decision.HasSets,
			overall: setCoverage, interval: proportion, class: classSetCoverage, classInterval: proportion,
		},
		{
			name: "set_size", lowerIsBetter: true, ofProbabilities: true, min: 1, max: math.Inf(1), needs: Decision.HasSets,
			overall: meanSetSize, interval: skewed, terms: func(s *sheet) []float64 { return s.setSize },
		},
	}, noveltyDefinitions()...)
}

// All lists the names of all metrics as gates take them: the overall ones, then
// recall[CLASS] and the like.
func All() []string {
	names := overallNames(5)
	for _, name := range ClassMetrics() {
		names = append(names, name+"[CLASS]")
	}
	return names
}

// ClassMetrics lists the metrics that each class has.
func ClassMetrics() []string {
	var names []string
	for _, d := range definitions() {
		if d.class != nil {
			names = append(names, d.name)
		}
	}
	return names
}

// Headline lists the few metrics that a report begins with: first those of which
// more is better.
func Headline() []string {
	var names []string
	for _, lower := range []bool{false, true} {
		for _, d := range definitions() {
			if d.headline && d.lowerIsBetter == lower {
				names = append(names, d.name)
			}
		}
	}
	return names
}

// overallNames lists the metrics that belong to no class. There is no top-k
// accuracy if topK is 0.
func overallNames(topK int) []string {
	var names []string
	for _, c := range columns(nil, topK) {
		names = append(names, c.name)
	}
	return names
}

// LowerIsBetter reports whether a smaller value of a metric is a better one.
func LowerIsBetter(name string) bool {
	d, _ := define(name)
	return d.lowerIsBetter
}

// Title is a metric's name for people, without its class: "ROC AUC" for roc_auc
// and for roc_auc[cat].
func Title(name string) string {
	d, ok := define(name)
	if !ok || d.name == topKAccuracy {
		d = definition{name: name}
	}
	title := d.title
	if title == "" {
		title = strings.ReplaceAll(d.key(), "_", " ")
		title = strings.ToUpper(title[:1]) + title[1:]
	}
	if d.in != "" && d.key() != d.name {
		title += ", " + d.in + " mean"
	}
	return title
}

// define finds a metric by the name that a report gives it.
func define(name string) (definition, bool) {
	of, _, _ := strings.Cut(name, "[")
	if strings.HasPrefix(of, "top_") {
		of = topKAccuracy
	}
	all := definitions()
	if i := slices.IndexFunc(all, func(d definition) bool { return d.name == of }); i >= 0 {
		return all[i], true
	}
	return definition{}, false
}

// key is the metric's name within its object of evaluation.json.
func (d definition) key() string { return strings.TrimSuffix(d.name, "_"+d.in) }

// column is a metric of a report: overall, or of one class.
type column struct {
	definition
	name  string // top_5_accuracy, recall[cat]
	index int    // of the class; -1: overall
}

// columns lists the metrics of reports on these classes: the overall ones, then
// those of each class.
func columns(classes []string, topK int) []column {
	var all []column
	for _, d := range definitions() {
		switch {
		case d.name != topKAccuracy:
			all = append(all, column{d, d.name, -1})
		case topK > 0:
			all = append(all, column{d, topName(topK), -1})
		}
	}
	for i, class := range classes {
		for _, d := range definitions() {
			if d.class != nil {
				all = append(all, column{d, d.name + "[" + class + "]", i})
			}
		}
	}
	return all
}

func topName(k int) string { return "top_" + strconv.Itoa(k) + "_accuracy" }

func (c column) method() method {
	if c.index >= 0 {
		return c.classInterval
	}
	return c.interval
}

// lacks is the error for a decision, d, that does not have what the metric needs.
func (c column) lacks(d Decision) error {
	if familiar, others := ofNovelty(c.name); familiar || others {
		return lacksNovelty(c.name, d.ChecksNovelty())
	}
	err := pipeline.Errorf(pipeline.BadUsage, "metric %q: the model answers every image", c.name)
	if c.needs(Decision{Set: 1}) {
		err = pipeline.Errorf(pipeline.BadUsage, "metric %q: the model has no prediction sets", c.name)
		return pipeline.WithHint(err, "also give %s 0.95", optionConformal)
	}
	return pipeline.WithHint(err, "also give %s risk=0.02, or coverage=0.9", optionAbstain)
}

// resampled says that the interval comes from resamples.
func (c column) resampled() bool { return c.method() != proportion }

func (c column) value(n *count) float64 {
	if c.index >= 0 {
		return c.class(n, c.index)
	}
	return c.overall(n)
}
