package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// Batch is what became of a file of runs.
type Batch struct {
	Name     string // of the file
	RankedBy string // a figure of the validation part, as the history has it: val_loss
	Runs     []BatchRun
}

// BatchRun is one run of a batch.
type BatchRun struct {
	Name   string
	Group  string // what the folds of one run have in common; Name without folds
	Folder string // from the summary's, with forward slashes
	State  string // done, failed, …
	Error  string // why it failed; empty where it did not
	// Best is the best epoch, and Report the test part's figures; nil where the
	// run did not come so far.
	Best   *pipeline.Epoch
	Report *metrics.Report
}

// batchColumns are the figures of the test part that a summary shows.
func batchColumns() []string { return []string{"accuracy", "f1", "loss"} }

// batchRow is a line of the summary: a run, or the folds of one.
type batchRow struct {
	Rank       int // 0: none
	Name       string
	Folds      int // 0 for a run without
	Validation metrics.Figure
	Test       []metrics.Figure // as batchColumns
	Gates      string
	Failed     bool
	Runs       []BatchRun
}

// rows ranks the runs by the validation part, for what is chosen by the test
// part is no longer measured by it. Those that have no figure come last.
func (b Batch) rows() []batchRow {
	var rows []batchRow
	for _, run := range b.Runs {
		if at := slices.IndexFunc(rows, func(r batchRow) bool { return r.Name == run.Group }); at >= 0 {
			rows[at].Runs = append(rows[at].Runs, run)
			continue
		}
		rows = append(rows, batchRow{Name: run.Group, Runs: []BatchRun{run}})
	}
	for i := range rows {
		rows[i].fill(b.RankedBy)
	}
	higher := !metrics.LowerIsBetter(strings.TrimPrefix(b.RankedBy, "val_"))
	slices.SortStableFunc(rows, func(x, y batchRow) int {
		a, b := x.Validation.Value, y.Validation.Value
		if math.IsNaN(a) || math.IsNaN(b) {
			return cmp.Compare(rankless(a), rankless(b))
		}
		if higher {
			a, b = b, a
		}
		return cmp.Compare(a, b)
	})
	for i := range rows {
		if !math.IsNaN(rows[i].Validation.Value) {
			rows[i].Rank = i + 1
		}
	}
	return rows
}

// Best is the name of the first run that has a rank; of folds there is none.
func (b Batch) Best() string {
	if first := b.rows()[0]; first.Rank == 1 && first.Folds == 0 {
		return first.Name
	}
	return ""
}

func rankless(v float64) int {
	if math.IsNaN(v) {
		return 1
	}
	return 0
}

// fill measures a row. A fold that is not there leaves the others without a
// mean, which would be of other images.
func (r *batchRow) fill(rankedBy string) {
	if run := r.Runs[0]; run.Name != run.Group {
		r.Folds = len(r.Runs)
	}
	validation, test := make([]float64, len(r.Runs)), make([][]float64, len(batchColumns()))
	gates, missed := 0, 0
	for i, run := range r.Runs {
		validation[i] = math.NaN()
		if run.Best != nil {
			if v, ok := run.Best.Value(rankedBy); ok {
				validation[i] = v
			}
		}
		for k, name := range batchColumns() {
			test[k] = append(test[k], run.figure(name).Value)
		}
		if run.Report != nil {
			for _, o := range run.Report.Gates {
				gates++
				if !o.Passed {
					missed++
				}
			}
		}
		r.Failed = r.Failed || run.Error != ""
	}
	r.Validation = metrics.MeanOver(rankedBy, validation)
	for k, name := range batchColumns() {
		if r.Folds == 0 {
			r.Test = append(r.Test, r.Runs[0].figure(name))
		} else {
			r.Test = append(r.Test, metrics.MeanOver(name, test[k]))
		}
	}
	r.Failed = r.Failed || missed > 0
	switch {
	case gates == 0:
	case missed > 0:
		r.Gates = fmt.Sprintf("%d of %d failed", missed, gates)
	default:
		r.Gates = fmt.Sprintf("%d passed", gates)
	}
}

// figure is one of the test part.
func (r BatchRun) figure(name string) metrics.Figure {
	if r.Report != nil {
		if f, err := r.Report.Figure(name); err == nil {
			return f
		}
	}
	return metrics.Figure{Name: name, Value: math.NaN(), Lower: math.NaN(), Upper: math.NaN()}
}

// header and cells are the summary as a table of text.
func (b Batch) header() []string {
	header := []string{"rank", "run", b.RankedBy}
	for _, name := range batchColumns() {
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
	for _, f := range r.Test {
		cells = append(cells, withInterval(f))
	}
	return append(cells, cmp.Or(r.Gates, undefined), r.state())
}

func (r batchRow) title() string {
	name := shorten(r.Name, nameRunes)
	switch {
	case r.Folds > 0 && r.Name == "":
		return fmt.Sprintf("%d folds", r.Folds)
	case r.Folds > 0:
		return fmt.Sprintf("%s, %d folds", name, r.Folds)
	}
	return name
}

// state is that of the run, or how many folds are in each.
func (r batchRow) state() string {
	var states []string
	count := map[string]int{}
	for _, run := range r.Runs {
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

// withInterval is a figure with its interval.
func withInterval(f metrics.Figure) string {
	if bounds := interval(f.Lower, f.Upper); bounds != "" {
		return decimals(f.Value) + " (" + bounds + ")"
	}
	return decimals(f.Value)
}

// problems are what went wrong, and the gates that were missed, a line each.
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
	for i, line := range b.problems() {
		if i == 0 {
			fmt.Fprintln(table)
		}
		fmt.Fprintln(table, display(line))
	}
	return table.Flush()
}

// Markdown writes it for a job's page.
func (b Batch) Markdown(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "## %s\n\n%s. Ranked by %s; figures of the test part have 95%% intervals.\n", code(b.Name), b.subtitle(), plain(b.RankedBy))
	g := grid{Words: len(b.header()), Header: b.header()}
	for _, r := range b.rows() {
		g.Rows = append(g.Rows, r.cells())
	}
	writeGrid(&text, g, plain)
	for i, line := range b.problems() {
		if i == 0 {
			text.WriteByte('\n')
		}
		text.WriteString("- " + plain(line) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// figureDocument is a figure as JSON has it: null where it is not finite.
type figureDocument struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
	Lower *float64 `json:"lower"`
	Upper *float64 `json:"upper"`
}

func figureJSON(f metrics.Figure) figureDocument {
	null := func(v float64) *float64 {
		if !finite(v) {
			return nil
		}
		return &v
	}
	return figureDocument{f.Name, null(f.Value), null(f.Lower), null(f.Upper)}
}

type runDocument struct {
	Name   string            `json:"name"`
	Folder string            `json:"folder"`
	State  string            `json:"state"`
	Error  string            `json:"error,omitempty"`
	Best   *pipeline.Epoch   `json:"best"`
	Test   []figureDocument  `json:"test"`
	Gates  []metrics.Outcome `json:"gates,omitempty"`
}

type rowDocument struct {
	Rank       int              `json:"rank,omitempty"`
	Name       string           `json:"name"`
	Folds      int              `json:"folds,omitempty"`
	Validation figureDocument   `json:"validation"`
	Test       []figureDocument `json:"test"`
	State      string           `json:"state"`
	Runs       []runDocument    `json:"runs"`
}

// MarshalJSON writes the ranked rows, each with its runs.
func (b Batch) MarshalJSON() ([]byte, error) {
	rows := []rowDocument{}
	for _, r := range b.rows() {
		d := rowDocument{Rank: r.Rank, Name: r.Name, Folds: r.Folds, Validation: figureJSON(r.Validation), Test: []figureDocument{}, State: r.state()}
		for _, f := range r.Test {
			d.Test = append(d.Test, figureJSON(f))
		}
		for _, run := range r.Runs {
			one := runDocument{Name: run.Name, Folder: run.Folder, State: run.State, Error: run.Error, Best: run.Best, Test: []figureDocument{}}
			if run.Report != nil {
				one.Gates = run.Report.Gates
				for _, f := range run.Report.Figures() {
					one.Test = append(one.Test, figureJSON(f))
				}
			}
			d.Runs = append(d.Runs, one)
		}
		rows = append(rows, d)
	}
	return json.Marshal(struct {
		File     string        `json:"file"`
		RankedBy string        `json:"ranked_by"`
		Rows     []rowDocument `json:"rows"`
	}{b.Name, b.RankedBy, rows})
}
