package report

import (
	"strconv"
	"strings"

	"tftl/pipeline/metrics"
)

// measured is a figure as a page shows it.
type measured struct {
	Name     string
	Value    string
	Exact    string // as evaluation.json has it
	Interval string // or empty
	Bar      *bar   // for a figure from 0 to 1
}

// bar is a value and its interval in percent of its width.
type bar struct{ Value, Lower, Upper float64 }

// figures are a report's by their names.
type figures map[string]metrics.Figure

func newFigures(r metrics.Report) figures {
	all := figures{}
	for _, f := range r.Figures() {
		all[f.Name] = f
	}
	return all
}

// show makes a figure of a report ready for a page. ok is false where the
// report has none of the name, or it has no value.
func (all figures) show(name, words string) (m measured, ok bool) {
	f, ok := all[name]
	if !ok || !finite(f.Value) {
		return measured{Name: words, Value: undefined}, false
	}
	m = measured{Name: words, Value: decimals(f.Value), Exact: strconv.FormatFloat(f.Value, 'g', -1, 64), Interval: interval(f.Lower, f.Upper)}
	if !metrics.LowerIsBetter(name) && f.Value >= 0 && f.Value <= 1 {
		m.Bar = &bar{Value: 100 * f.Value, Lower: 100 * f.Value, Upper: 100 * f.Value}
		if m.Interval != "" {
			m.Bar.Lower, m.Bar.Upper = 100*min(max(f.Lower, 0), 1), 100*min(max(f.Upper, 0), 1)
		}
	}
	return m, true
}

// headline are the few figures that a report begins with.
func (all figures) headline() []measured {
	var shown []measured
	for _, name := range []string{"accuracy", "balanced_accuracy", "f1", "roc_auc", "loss", "ece"} {
		words := title(name)
		if name == "f1" {
			words = "F1, macro mean"
		}
		if m, ok := all.show(name, words); ok {
			shown = append(shown, m)
		}
	}
	return shown
}

// overall lists every figure that is not of one class.
func overall(r metrics.Report) grid {
	g := grid{Caption: "Every figure", Words: 1, Header: []string{"figure", "value", "95% interval", "method"}}
	for _, f := range r.Figures() {
		if !strings.Contains(f.Name, "[") {
			g.Rows = append(g.Rows, []string{title(f.Name), decimals(f.Value), interval(f.Lower, f.Upper), f.Method})
		}
	}
	return g
}

// classRow is what a page says of one class.
type classRow struct {
	Name    string
	Support int
	Figures []measured // precision, recall and F1
	Areas   []string   // ROC AUC and average precision
}

func classRows(r metrics.Report, all figures) []classRow {
	rows := make([]classRow, len(r.Classes))
	for i, class := range r.Classes {
		row := classRow{Name: shorten(class.Name, nameRunes), Support: class.Support}
		for _, name := range []string{"precision", "recall", "f1"} {
			m, _ := all.show(name+"["+class.Name+"]", title(name))
			row.Figures = append(row.Figures, m)
		}
		for _, name := range []string{"roc_auc", "average_precision"} {
			m, _ := all.show(name+"["+class.Name+"]", title(name))
			row.Areas = append(row.Areas, m.Value)
		}
		rows[i] = row
	}
	return rows
}

// decide says in a sentence or two how probabilities became classes. mark makes
// a class's name fit for where it will stand.
func decide(d metrics.Decision, classes []string, mark func(string) string) string {
	text := "The class with the largest probability is predicted."
	if d.Threshold > 0 && len(classes) == 2 {
		text = "Predicted is " + mark(shorten(classes[1], nameRunes)) + " where its probability is at least " + number(d.Threshold) + from(d.ThresholdFrom) +
			", " + mark(shorten(classes[0], nameRunes)) + " elsewhere."
	}
	if d.Temperature != 0 && d.Temperature != 1 {
		text += " Probabilities are those of the logits divided by a temperature of " + number(d.Temperature) + from(d.TemperatureFrom) + "."
	}
	return text
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " (" + display(source) + ")"
}
