package metrics

import (
	"math"
	"slices"

	"tftl/pipeline"
)

// Table is a model's predictions for samples: predictions.csv, from which every
// metric and every plot is computed.
type Table struct {
	Classes     []string
	Predictions []pipeline.Prediction
	Slices      map[string][]string // by column, one value per prediction; nil: there are none
	// Loss is the loss of each sample at the decision's temperature, and says that
	// the probabilities are at this temperature too. nil: they are the model's.
	Loss []float64
	// Decision is the one that ReadTable found in the file.
	Decision Decision
	// Top is the number of classes that the file has of each sample. Then Chosen is
	// the predicted class of each, there are no probabilities, and Classes are
	// those that occur. 0: the file has all classes.
	Top    int
	Chosen []int
}

// Decide returns the table at a decision's temperature: with the loss of each
// sample, and without logits, which nothing needs then and which take as much
// memory as the probabilities. A decided table is returned as it is. Errors are
// those of Evaluate.
func (t Table) Decide(d Decision) (Table, error) {
	if err := d.Check(len(t.Classes)); err != nil {
		return Table{}, err
	}
	decided := t
	if t.Loss == nil {
		decided.Predictions, decided.Loss = make([]pipeline.Prediction, len(t.Predictions)), make([]float64, len(t.Predictions))
	}
	for i, p := range t.Predictions {
		if err := checkRows(p, len(t.Classes)); err != nil {
			return Table{}, err
		}
		if t.Loss != nil {
			continue
		}
		p = d.calibrate(p)
		var err error
		if decided.Loss[i], err = Loss(p); err != nil {
			return Table{}, err
		}
		p.Logits = nil
		decided.Predictions[i] = p
	}
	return decided, nil
}

// Calibrate returns the predictions at the decision's temperature.
func (t Table) Calibrate(d Decision) []pipeline.Prediction {
	if t.Loss != nil {
		return t.Predictions
	}
	return d.Calibrate(t.Predictions)
}

// decidedRow is one prediction at the decision's temperature, with its loss, which is
// NaN without a label.
func (t Table) decidedRow(i int, d Decision) (pipeline.Prediction, float64) {
	if t.Loss != nil {
		return t.Predictions[i], t.Loss[i]
	}
	p := d.calibrate(t.Predictions[i])
	loss, err := Loss(p)
	if err != nil {
		loss = math.NaN()
	}
	return p, loss
}

// Images are the IDs of samples by their true and their predicted class.
type Images map[[2]string][]string

// Confused lists the samples that were misclassified, by true and predicted class.
func (t Table) Confused(d Decision) Images {
	all := Images{}
	for i, p := range t.Predictions {
		var class int
		if t.Top > 0 {
			class = t.Chosen[i]
		} else {
			q, _ := t.decidedRow(i, d)
			class = d.Class(q.Probabilities)
		}
		if class != p.Sample.Label {
			pair := [2]string{t.Classes[p.Sample.Label], t.Classes[class]}
			all[pair] = append(all[pair], p.Sample.ID)
		}
	}
	return all
}

// Select returns the rows that keep accepts, in their order.
func (t Table) Select(keep func(i int) bool) Table {
	kept := Table{Classes: t.Classes, Decision: t.Decision, Top: t.Top}
	if t.Slices != nil {
		kept.Slices = make(map[string][]string, len(t.Slices))
	}
	for i, p := range t.Predictions {
		if !keep(i) {
			continue
		}
		kept.Predictions = append(kept.Predictions, p)
		if t.Loss != nil {
			kept.Loss = append(kept.Loss, t.Loss[i])
		}
		if t.Top > 0 {
			kept.Chosen = append(kept.Chosen, t.Chosen[i])
		}
		for column, values := range t.Slices {
			kept.Slices[column] = append(kept.Slices[column], values[i])
		}
	}
	return kept
}

// columns lists the slices' columns, sorted.
func (t Table) columns() []string {
	var names []string
	for name := range t.Slices {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (t Table) labelled() bool {
	return slices.ContainsFunc(t.Predictions, func(p pipeline.Prediction) bool { return p.Sample.Label >= 0 })
}
