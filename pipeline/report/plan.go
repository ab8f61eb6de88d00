package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Plan says how far each run of a file of runs has come.
type Plan struct {
	File   string       `json:"file"`
	Output string       `json:"output"` // folder of the runs
	Runs   []PlannedRun `json:"runs"`
}

// PlannedRun is one run of a plan.
type PlannedRun struct {
	Name   string `json:"name"`
	Folder string `json:"folder"`
	State  string `json:"state"` // done, to resume, …
	Inputs string `json:"inputs_sha256,omitempty"`
	Images [3]int `json:"-"` // of each part
	Done   bool   `json:"-"`
}

// WriteTable writes a line per run, and how many are left.
func (p Plan) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	left := 0
	for _, r := range p.Runs {
		fmt.Fprintf(table, "%s\t%d train, %d val, %d test\t%s\n", display(r.Name), r.Images[0], r.Images[1], r.Images[2], r.State)
		if !r.Done {
			left++
		}
	}
	fmt.Fprintf(table, "%d of %d runs to do, in %s\n", left, len(p.Runs), display(p.Output))
	return table.Flush()
}
