package report

import (
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline/metrics"
)

// measured is a metric as a page shows it.
type measured struct {
	Name     string
	Value    string
	Exact    string // as evaluation.json has it
	Interval string // empty: there is none
	Bar      *bar   // for a metric from 0 to 1
	Baseline string // of answers that ignore the image; empty: it has none
}

// bar is a value and its interval in percent of its width.
type bar struct{ Value, Lower, Upper float64 }

// byName are the metrics of a report by name.
type byName map[string]metrics.Metric

func named(r metrics.Report) byName {
	all := byName{}
	for _, m := range r.Metrics() {
		all[m.Name] = m
	}
	return all
}

// show makes a metric ready for a page. ok is false if the report lacks it or it
// is not defined.
func (all byName) show(name, words string) (shown measured, ok bool) {
	m, ok := all[name]
	if !ok || !finite(m.Value) {
		return measured{Name: words, Value: undefined}, false
	}
	shown = measured{Name: words, Value: decimals(m.Value), Exact: strconv.FormatFloat(m.Value, 'g', -1, 64), Interval: interval(m.Lower, m.Upper)}
	if !metrics.LowerIsBetter(name) && m.Value >= 0 && m.Value <= 1 {
		shown.Bar = &bar{Value: 100 * m.Value, Lower: 100 * m.Value, Upper: 100 * m.Value}
		if shown.Interval != "" {
			shown.Bar.Lower, shown.Bar.Upper = 100*min(max(m.Lower, 0), 1), 100*min(max(m.Upper, 0), 1)
		}
	}
	return shown, true
}

// headline are the few metrics at the top of a report. train is the number of images
// of each class that the model was trained on, nil if that is not known.
func headline(r metrics.Report, train []int) []measured {
	var shown []measured
	all, baselines := named(r), metrics.Baselines(r, train)
	for _, name := range metrics.Headline() {
		words := title(name)
		if name == "f1" {
			words = "F1, macro mean"
		}
		if m, ok := all.show(name, words); ok {
			if b, ok := baselines[name]; ok {
				m.Baseline = baseline(name, b)
			}
			shown = append(shown, m)
		}
	}
	return shown
}

// baseline puts a baseline into words.
func baseline(name string, b metrics.Baseline) string {
	text := "chance " + decimals(b.Chance)
	if !finite(b.Frequent) || b.Frequent == b.Chance {
		return text
	}
	if name == "loss" {
		return text + ", class frequencies " + decimals(b.Frequent)
	}
	return text + ", majority class " + decimals(b.Frequent)
}

// overall are the metrics that belong to no class.
func overall(r metrics.Report) []metrics.Metric {
	var all []metrics.Metric
	for _, m := range r.Metrics() {
		if !strings.Contains(m.Name, "[") {
			all = append(all, m)
		}
	}
	return all
}

func overallGrid(r metrics.Report) grid {
	g := grid{Caption: "All metrics", Words: 1, Header: []string{"metric", "value", "95% interval", "method"}}
	for _, m := range overall(r) {
		g.Rows = append(g.Rows, []string{title(m.Name), decimals(m.Value), interval(m.Lower, m.Upper), m.Method})
	}
	return g
}

// classRow is what a page says about one class.
type classRow struct {
	Name    string
	Support int
	Scores  []measured // precision, recall and F1
	Others  []string   // the other metrics of a class
}

// otherTitles name the metrics in classRow.Others, as column headings.
func otherTitles(r metrics.Report) []string {
	var titles []string
	for _, name := range otherMetrics(r) {
		title := title(name)
		if title[1:] == strings.ToLower(title[1:]) { // not an abbreviation
			title = strings.ToLower(title)
		}
		titles = append(titles, title)
	}
	return titles
}

// otherMetrics are the metrics of a class, apart from scores, that the report has.
func otherMetrics(r metrics.Report) []string {
	return slices.DeleteFunc(metrics.ClassMetrics(), func(name string) bool {
		has := slices.ContainsFunc(r.Classes, func(c metrics.Class) bool { _, ok := c.Values[name]; return ok })
		return !has || slices.Contains(scores(), name)
	})
}

func classRows(r metrics.Report) []classRow {
	all := named(r)
	rows := make([]classRow, len(r.Classes))
	for i, class := range r.Classes {
		row := classRow{Name: shorten(class.Name, nameRunes), Support: class.Support}
		for _, name := range scores() {
			m, _ := all.show(name+"["+class.Name+"]", title(name))
			row.Scores = append(row.Scores, m)
		}
		for _, name := range otherMetrics(r) {
			m, _ := all.show(name+"["+class.Name+"]", title(name))
			row.Others = append(row.Others, m.Value)
		}
		rows[i] = row
	}
	return rows
}

// decide explains in a sentence or two how probabilities became classes. mark
// formats a class name.
func decide(d metrics.Decision, classes []string, mark func(string) string) string {
	text := "The most likely class is predicted."
	if d.Threshold > 0 && len(classes) == 2 {
		text = "Predicts " + mark(shorten(classes[1], nameRunes)) + " if its probability is at least " + number(d.Threshold) + from(d.ThresholdFrom) +
			", otherwise " + mark(shorten(classes[0], nameRunes)) + "."
	}
	if d.Temperature != 0 && d.Temperature != 1 {
		text += " Probabilities are calibrated with a temperature of " + number(d.Temperature) + from(d.TemperatureFrom) + "."
	}
	return text + promises(d)
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " (" + display(source) + ")"
}
