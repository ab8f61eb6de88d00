package report

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// Fit is what a training achieved, for a terminal and for programs.
type Fit struct {
	Run       string // its folder
	Model     string // the folder of the trained model
	Monitor   string // the metric that decides
	History   []pipeline.Epoch
	Best      pipeline.Epoch
	GuessLoss float64 // of a guess that ignores the image; infinite if a class has no weight
	Stages    []pipeline.StageResult
	Tuning    *rundir.Tuning // nil if there was none
	Stopped   bool           // by a time limit, before all was done
}

// WriteTable writes what each stage gained if there are several, what tuning found,
// and the best epoch. spell spells the options of a setting.
func (f Fit) WriteTable(w io.Writer, spell pipeline.Spelling) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(f.Stages) > 1 {
		fmt.Fprintf(table, "stage\tkept\tepoch\t%s\t±\tgain\t±\n", f.Monitor)
		for _, s := range f.Stages {
			verdict, epoch := outcome(s)
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", display(s.Stage), verdict, epoch, decimals(s.Value), decimals(s.Noise), decimals(s.Gain), decimals(s.GainNoise))
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
	fmt.Fprintf(table, "best epoch %d of %d: %s %s\nmodel: %s\n", f.Best.Epoch, len(f.History), f.Monitor, decimals(value), display(f.Model))
	return table.Flush()
}

// tuningDocument is what tuning found, in JSON.
type tuningDocument struct {
	Chosen   rundir.Trial `json:"chosen"`
	Default  rundir.Trial `json:"default"`
	Monitor  string       `json:"monitor"`
	Settings int          `json:"settings"`
}

// MarshalJSON writes one object. Of the epochs it has the best and the number, and
// the loss of guessing is null if it is not finite.
func (f Fit) MarshalJSON() ([]byte, error) {
	document := struct {
		Best      pipeline.Epoch         `json:"best"`
		Stages    []pipeline.StageResult `json:"depth"`
		Epochs    int                    `json:"epochs"`
		Finished  bool                   `json:"finished"`
		GuessLoss *float64               `json:"guess_loss"`
		Model     string                 `json:"model"`
		Run       string                 `json:"run"`
		Tuning    *tuningDocument        `json:"tune,omitempty"`
	}{f.Best, f.Stages, len(f.History), !f.Stopped, orNull(f.GuessLoss), f.Model, f.Run, nil}
	if t := f.Tuning; t != nil {
		document.Tuning = &tuningDocument{t.Best(), t.Default(), t.Monitor, len(t.Settings)}
	}
	return marshal(document)
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
