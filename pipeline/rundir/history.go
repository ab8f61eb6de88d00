package rundir

import (
	"encoding/csv"
	"io"
	"strconv"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// WriteHistoryCSV writes history.csv, the history as a table: a row an epoch, a
// column for each figure of the first one. One that is not finite is empty.
func (d Dir) WriteHistoryCSV(history []pipeline.Epoch) error {
	if len(history) == 0 {
		return nil
	}
	header := []string{"stage", "epoch", "step", "lr"}
	names := history[0].Figures()
	for _, figure := range names {
		header = append(header, figure.Name)
	}
	rows := [][]string{append(header, "best")}
	for _, e := range history {
		row := []string{e.Stage, strconv.Itoa(e.Epoch), strconv.Itoa(e.Step), exact(e.LearningRate)}
		for _, figure := range names {
			value, _ := e.Value(figure.Name)
			row = append(row, exact(value))
		}
		rows = append(rows, append(row, strconv.FormatBool(e.Best)))
	}
	return atomicfile.Write(d.File("history.csv"), func(w io.Writer) error {
		return csv.NewWriter(w).WriteAll(rows)
	})
}

func exact(v float64) string {
	if v-v != 0 { // not a number, or infinite
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
