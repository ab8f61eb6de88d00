package report

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// Fit is what a training achieved, for a terminal.
type Fit struct {
	Monitor string // the metric that decides
	History []pipeline.Epoch
	Best    pipeline.Epoch
	Stages  []pipeline.StageResult
	Tuning  *rundir.Tuning // nil if there was none
	Model   string         // the folder of the trained model
}

// WriteTable writes what each stage gained if there are several, what tuning found,
// and the best epoch. spell spells the options of a setting.
func (f Fit) WriteTable(w io.Writer, spell pipeline.Spelling) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(f.Stages) > 1 {
		fmt.Fprintf(table, "stage\tkept\tepoch\t%s\t±\tgain\t±\n", f.Monitor)
		for _, s := range f.Stages {
			verdict, epoch := outcome(s)
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Stage, verdict, epoch, decimals(s.Value), decimals(s.Noise), decimals(s.Gain), decimals(s.GainNoise))
		}
		if err := table.Flush(); err != nil { // ends the columns
			return err
		}
	}
	if t := f.Tuning; t != nil {
		fmt.Fprintf(table, "setting\t\t%s\n", t.Monitor)
		if t.Chosen != 0 {
			fmt.Fprintf(table, "chosen\t%s\t%s\n", t.Best().Message().Text(spell), score(t.Best()))
		}
		fmt.Fprintf(table, "default\t%s\t%s\n", t.Default().Message().Text(spell), score(t.Default()))
	}
	value, _ := f.Best.Value(f.Monitor)
	fmt.Fprintf(table, "best epoch %d of %d: %s %s\nmodel: %s\n", f.Best.Epoch, len(f.History), f.Monitor, decimals(value), f.Model)
	return table.Flush()
}

// outcome says in words whether a stage's epoch was kept, and which it was.
func outcome(s pipeline.StageResult) (verdict, epoch string) {
	verdict, epoch = "no", undefined
	if s.Kept {
		verdict = "yes"
	}
	if s.Epoch > 0 {
		epoch = strconv.Itoa(s.Epoch)
	}
	return verdict, epoch
}
