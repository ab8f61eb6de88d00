// Package metrics turns predictions into figures: the report that "tftl
// evaluate" prints, and the few figures that Fit watches on the validation part.
//
// Every definition, zero divisions included, is scikit-learn's
// (classification_report with zero_division=0, balanced_accuracy_score), but
// that a report always covers all classes of the model, those without a
// sample too: in scikit-learn's words, labels=range(classes). Figures count
// samples; sample weights belong to training and are ignored here.
//
// The package does not run a model, read a data set or decide when to stop.
package metrics

import (
	"encoding/json"
	"math"

	"tftl/pipeline"
)

// Scores are the three figures of one class, or their average over classes.
// A figure whose denominator is zero is 0.
type Scores struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Class is what a report says of one class.
type Class struct {
	Name    string `json:"name"`
	Support int    `json:"support"` // samples that are of this class
	Scores
}

// Report is every figure of one evaluation. As JSON, a loss that is not
// finite is null, for JSON has no other word for it; null is read as NaN.
type Report struct {
	Samples          int     `json:"samples"`
	Loss             float64 `json:"loss"` // mean of Loss over the samples
	Accuracy         float64 `json:"accuracy"`
	BalancedAccuracy float64 `json:"balanced_accuracy"` // mean recall of the classes that have samples
	Macro            Scores  `json:"macro"`             // mean over all classes
	Weighted         Scores  `json:"weighted"`          // mean over all classes, weighted by support
	Classes          []Class `json:"classes"`
	ConfusionMatrix  [][]int `json:"confusion_matrix"` // rows are true classes, columns predicted ones
}

// Evaluate measures predictions of a model with these classes. It is an error
// to have no predictions, a label that is no index of classes, or a prediction
// that does not have one figure for each class.
func Evaluate(predictions []pipeline.Prediction, classes []string) (Report, error) {
	if len(predictions) == 0 {
		return Report{}, pipeline.Errorf(pipeline.BadData, "no samples to evaluate")
	}
	confusion := make([][]int, len(classes))
	for i := range confusion {
		confusion[i] = make([]int, len(classes))
	}
	var loss float64
	for _, p := range predictions {
		if err := checkRows(p, len(classes)); err != nil {
			return Report{}, err
		}
		l, err := Loss(p)
		if err != nil {
			return Report{}, err
		}
		loss += l
		confusion[p.Sample.Label][argmax(p.Probabilities)]++
	}
	r := summarize(confusion, classes)
	r.Loss = loss / float64(len(predictions))
	return r, nil
}

func checkRows(p pipeline.Prediction, classes int) error {
	if n := len(p.Probabilities); n != classes {
		return pipeline.Errorf(pipeline.BadModel, "sample %q: %d probabilities for %d classes", p.Sample.ID, n, classes)
	}
	if n := len(p.Logits); p.Logits != nil && n != classes {
		return pipeline.Errorf(pipeline.BadModel, "sample %q: %d logits for %d classes", p.Sample.ID, n, classes)
	}
	return nil
}

// summarize computes what follows from the confusion matrix alone, which is
// everything but the loss. The matrix must count at least one sample.
func summarize(confusion [][]int, classes []string) Report {
	support := make([]int, len(classes))
	predicted := make([]int, len(classes))
	r := Report{ConfusionMatrix: confusion, Classes: make([]Class, len(classes))}
	correct, present := 0, 0
	for i, row := range confusion {
		correct += row[i]
		for j, n := range row {
			support[i] += n
			predicted[j] += n
		}
		r.Samples += support[i]
		if support[i] > 0 {
			present++
		}
	}
	for i, name := range classes {
		hits := confusion[i][i]
		s := Scores{
			Precision: ratio(hits, predicted[i]),
			Recall:    ratio(hits, support[i]),
			F1:        ratio(2*hits, support[i]+predicted[i]),
		}
		r.Classes[i] = Class{Name: name, Support: support[i], Scores: s}
		r.Macro.add(s, 1/float64(len(classes)))
		r.Weighted.add(s, ratio(support[i], r.Samples))
		r.BalancedAccuracy += s.Recall / float64(present) // recall is 0 without support
	}
	r.Accuracy = ratio(correct, r.Samples)
	return r
}

func (s *Scores) add(t Scores, weight float64) {
	s.Precision += weight * t.Precision
	s.Recall += weight * t.Recall
	s.F1 += weight * t.F1
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// plain is a Report without its methods.
type plain Report

// document is a Report as JSON has it. The outer fields win over the embedded
// ones of the same name and keep their place before the others.
type document struct {
	Samples int      `json:"samples"`
	Loss    *float64 `json:"loss"`
	plain
}

// MarshalJSON writes a loss that is not finite as null.
func (r Report) MarshalJSON() ([]byte, error) {
	d := document{Samples: r.Samples, Loss: &r.Loss, plain: plain(r)}
	if math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0) {
		d.Loss = nil
	}
	return json.Marshal(d)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Report) UnmarshalJSON(data []byte) error {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	*r = Report(d.plain)
	r.Samples, r.Loss = d.Samples, math.NaN()
	if d.Loss != nil {
		r.Loss = *d.Loss
	}
	return nil
}
