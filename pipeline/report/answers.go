package report

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// Answers are what a model says of images, one after the other.
type Answers struct {
	predictions []pipeline.Prediction // at the decision's temperature
	labels      []string
	decision    metrics.Decision // without the temperature
	top         int              // classes of each image; 0: not asked for
}

// NewAnswers applies a decision to predictions. top is how many classes each
// image gets; 0 is for the form's own choice: one in a table, all elsewhere.
func NewAnswers(predictions []pipeline.Prediction, labels []string, d metrics.Decision, top int) Answers {
	a := Answers{d.Calibrate(predictions), labels, metrics.Decision{Threshold: d.Threshold}, min(top, len(labels))}
	for i := range a.predictions {
		a.predictions[i].Logits = nil // which are not at that temperature
	}
	return a
}

// WriteTable writes one line per image.
func (a Answers) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range a.predictions {
		fmt.Fprint(table, printable.Text(p.Sample.ID))
		for _, class := range a.decision.RankClasses(p.Probabilities)[:max(a.top, 1)] {
			fmt.Fprintf(table, "\t%s\t%.4f", printable.Text(a.labels[class]), p.Probabilities[class])
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// likely is a class of one image.
type likely struct {
	Class       string  `json:"class"`
	Probability float32 `json:"probability"`
}

// WriteLines writes one JSON document per image and line.
func (a Answers) WriteLines(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, p := range a.predictions {
		order := a.decision.RankClasses(p.Probabilities)
		line := struct {
			Path          string             `json:"path"`
			Predicted     string             `json:"predicted"`
			Probability   float32            `json:"probability"`
			Top           []likely           `json:"top,omitempty"`
			Probabilities map[string]float32 `json:"probabilities,omitempty"`
		}{Path: p.Sample.ID, Predicted: a.labels[order[0]], Probability: p.Probabilities[order[0]]}
		for _, class := range order[:a.top] {
			line.Top = append(line.Top, likely{a.labels[class], p.Probabilities[class]})
		}
		if a.top == 0 {
			line.Probabilities = make(map[string]float32, len(a.labels))
			for i, label := range a.labels {
				line.Probabilities[label] = p.Probabilities[i]
			}
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// WriteCSV writes one row per image.
func (a Answers) WriteCSV(w io.Writer) error {
	table := metrics.Table{Classes: a.labels, Predictions: a.predictions}
	if a.top > 0 {
		return table.WriteTop(w, a.decision, a.top)
	}
	return table.Write(w, a.decision)
}
