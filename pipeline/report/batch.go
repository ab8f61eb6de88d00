package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// Batch is the result of a file of runs.
type Batch struct {
	Name    string // of the file
	Runs    []BatchRun
	Ranking metrics.Ranking // of Runs
	Varied  []Varied        // options
}

// BatchRun is one run of a batch.
type BatchRun struct {
	metrics.Run
	Folder  string // relative to the summary's, with forward slashes
	State   string // done, failed, …
	Error   string // why it failed; empty if it did not
	Seconds float64
}

// Best is the index of the best run, or -1; see metrics.Ranking.
func (b Batch) Best() int {
	var runs []metrics.Run
	for _, run := range b.Runs {
		runs = append(runs, run.Run)
	}
	return b.Ranking.Best(runs)
}

// batchRow is a row of the summary: a run, or the seeds and the folds of one
// setting.
type batchRow struct {
	metrics.Place
	runs []BatchRun
}

func (b Batch) rows() []batchRow {
	var rows []batchRow
	for _, place := range b.Ranking.Places {
		row := batchRow{Place: place}
		for _, i := range place.Runs {
			row.runs = append(row.runs, b.Runs[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// header and cells are the summary as a table of text.
func (b Batch) header() []string {
	header := []string{"rank", "run", b.Ranking.By}
	for _, name := range b.Ranking.Test {
		header = append(header, "test "+name)
	}
	return append(header, "gates", "state")
}

func (r batchRow) cells() []string {
	rank := undefined
	if r.Rank > 0 {
		rank = strconv.Itoa(r.Rank)
	}
	cells := []string{rank, r.title(), withInterval(r.Validation)}
	for _, m := range r.Test {
		cells = append(cells, withInterval(m))
	}
	return append(cells, cmp.Or(r.gates(), undefined), stateOf(r.runs))
}

// title is the name of a row with the number of its seeds and folds.
func (r batchRow) title() string {
	var parts []string
	if r.Name != "" {
		parts = append(parts, shorten(r.Name, nameRunes))
	}
	if r.Seeds > 0 {
		parts = append(parts, fmt.Sprintf("%d seeds", r.Seeds))
	}
	if r.Folds > 0 {
		parts = append(parts, fmt.Sprintf("%d folds", r.Folds))
	}
	return strings.Join(parts, ", ")
}

// gates says how many gates failed or passed; empty if there are none.
func (r batchRow) gates() string {
	switch {
	case r.Gates == 0:
		return ""
	case r.Missed > 0:
		return fmt.Sprintf("%d of %d failed", r.Missed, r.Gates)
	}
	return fmt.Sprintf("%d passed", r.Gates)
}

func (r batchRow) failed() bool {
	for _, run := range r.runs {
		if run.Error != "" {
			return true
		}
	}
	return r.Missed > 0
}

// stateOf is the state that runs share, or how many are in each.
func stateOf(runs []BatchRun) string {
	var states []string
	count := map[string]int{}
	for _, run := range runs {
		if count[run.State] == 0 {
			states = append(states, run.State)
		}
		count[run.State]++
	}
	if len(states) == 1 {
		return states[0]
	}
	for i, s := range states {
		states[i] = fmt.Sprintf("%d %s", count[s], s)
	}
	return strings.Join(states, ", ")
}

// withInterval is a metric with its interval, or with its standard deviation over
// seeds.
func withInterval(m metrics.Metric) string {
	if m.Method == "deviation" && finite(m.Upper) {
		return decimals(m.Value) + " ± " + decimals(deviation(m))
	}
	if bounds := interval(m.Lower, m.Upper); bounds != "" {
		return decimals(m.Value) + " (" + bounds + ")"
	}
	return decimals(m.Value)
}

// deviation is the standard deviation of a metric over seeds.
func deviation(m metrics.Metric) float64 { return (m.Upper - m.Lower) / 2 }

// single is the table of single runs below that of settings with several seeds. It
// is empty if no setting has several.
func (b Batch) single() grid {
	g := grid{Caption: "Single runs", Words: 1, Header: []string{"run", b.Ranking.By}}
	seeds := false
	for _, name := range b.Ranking.Test {
		g.Header = append(g.Header, "test "+name)
	}
	g.Header = append(g.Header, "state")
	for _, place := range b.Ranking.Places {
		seeds = seeds || place.Seeds > 0
		for _, i := range place.Runs {
			run := b.Runs[i]
			cells := []string{shorten(run.Name, nameRunes), decimals(run.Validation(b.Ranking.By))}
			for _, name := range b.Ranking.Test {
				cells = append(cells, withInterval(run.Test(name)))
			}
			g.Rows = append(g.Rows, append(cells, run.State))
		}
	}
	if !seeds {
		return grid{}
	}
	return g
}

// legend says what the numbers of the summary are.
func (b Batch) legend() string {
	text := "Ranked by " + b.Ranking.By + ", measured on the validation part. "
	if len(b.single().Rows) > 0 {
		text += "Settings with several seeds have the mean and the standard deviation over them. "
	}
	return text + "Test metrics have 95% intervals: if two overlap, the difference may be chance."
}

// problems lists errors and failed gates, one per line.
func (b Batch) problems() []string {
	var lines []string
	for _, run := range b.Runs {
		if run.Error != "" {
			lines = append(lines, run.Name+": "+run.Error)
		}
		if run.Report == nil {
			continue
		}
		for _, o := range run.Report.Gates {
			if !o.Passed {
				lines = append(lines, run.Name+": "+o.String())
			}
		}
	}
	return lines
}

// WriteTable writes the summary for a terminal.
func (b Batch) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(b.header(), "\t"))
	for _, r := range b.rows() {
		fmt.Fprintln(table, strings.Join(r.cells(), "\t"))
	}
	if g := b.single(); len(g.Rows) > 0 {
		fmt.Fprintf(table, "\n%s\n", strings.Join(g.Header, "\t"))
		for _, row := range g.Rows {
			fmt.Fprintln(table, strings.Join(row, "\t"))
		}
	}
	for i, line := range b.problems() {
		if i == 0 {
			fmt.Fprintln(table)
		}
		fmt.Fprintln(table, display(line))
	}
	return table.Flush()
}

// Markdown writes the summary for the page of a CI job.
func (b Batch) Markdown(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "## %s\n\n%s. %s\n", code(b.Name), b.subtitle(), plain(b.legend()))
	g := grid{Words: len(b.header()), Header: b.header()}
	for _, r := range b.rows() {
		g.Rows = append(g.Rows, r.cells())
	}
	writeGrid(&text, g, plain)
	if single := b.single(); len(single.Rows) > 0 {
		text.WriteString("\n<details><summary>Single runs</summary>\n\n")
		writeGrid(&text, single, plain)
		text.WriteString("\n</details>\n")
	}
	for i, line := range b.problems() {
		if i == 0 {
			text.WriteByte('\n')
		}
		text.WriteString("- " + plain(line) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// metricDocument is a metric in JSON: null stands for what is not finite.
type metricDocument struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
	Lower *float64 `json:"lower"`
	Upper *float64 `json:"upper"`
	// StandardDeviation is over seeds, instead of an interval.
	StandardDeviation *float64 `json:"standard_deviation,omitempty"`
}

func metricsJSON(all []metrics.Metric) []metricDocument {
	documents := []metricDocument{}
	for _, m := range all {
		documents = append(documents, metricJSON(m))
	}
	return documents
}

func metricJSON(m metrics.Metric) metricDocument {
	if m.Method == "deviation" {
		return metricDocument{Name: m.Name, Value: orNull(m.Value), StandardDeviation: orNull(deviation(m))}
	}
	return metricDocument{Name: m.Name, Value: orNull(m.Value), Lower: orNull(m.Lower), Upper: orNull(m.Upper)}
}

type runDocument struct {
	Name   string            `json:"name"`
	Folder string            `json:"folder"`
	State  string            `json:"state"`
	Error  string            `json:"error,omitempty"`
	Best   *pipeline.Epoch   `json:"best"`
	Test   []metricDocument  `json:"test"`
	Gates  []metrics.Outcome `json:"gates,omitempty"`
}

type rowDocument struct {
	Rank       int              `json:"rank,omitempty"`
	Name       string           `json:"name"`
	Seeds      int              `json:"seeds,omitempty"`
	Folds      int              `json:"folds,omitempty"`
	Validation metricDocument   `json:"validation"`
	Test       []metricDocument `json:"test"`
	State      string           `json:"state"`
	Runs       []runDocument    `json:"runs"`
}

// MarshalJSON writes the ranked rows, each with its runs.
func (b Batch) MarshalJSON() ([]byte, error) {
	rows := []rowDocument{}
	for _, r := range b.rows() {
		d := rowDocument{
			Rank: r.Rank, Name: r.Name, Seeds: r.Seeds, Folds: r.Folds, Validation: metricJSON(r.Validation), Test: metricsJSON(r.Test), State: stateOf(r.runs),
		}
		for _, run := range r.runs {
			one := runDocument{Name: run.Name, Folder: run.Folder, State: run.State, Error: run.Error, Best: run.Best, Test: metricsJSON(nil)}
			if run.Report != nil {
				one.Gates, one.Test = run.Report.Gates, metricsJSON(run.Report.Metrics())
			}
			d.Runs = append(d.Runs, one)
		}
		rows = append(rows, d)
	}
	return json.Marshal(struct {
		File     string        `json:"file"`
		RankedBy string        `json:"ranked_by"`
		Rows     []rowDocument `json:"rows"`
	}{b.Name, b.Ranking.By, rows})
}
