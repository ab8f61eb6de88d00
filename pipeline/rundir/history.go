package rundir

import (
	"encoding/csv"
	"io"
	"strconv"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// WriteHistoryCSV writes history.csv: a row per epoch, a column per metric of the
// first epoch. A value that is not finite is left empty.
func (d Dir) WriteHistoryCSV(history []pipeline.Epoch) error {
	if len(history) == 0 {
		return nil
	}
	header := []string{"stage", "epoch", "step", "lr"}
	names := history[0].Metrics()
	for _, metric := range names {
		header = append(header, metric.Name)
	}
	rows := [][]string{append(header, "best")}
	for _, e := range history {
		row := []string{e.Stage, strconv.Itoa(e.Epoch), strconv.Itoa(e.Step), exact(e.LearningRate)}
		for _, metric := range names {
			value, _ := e.Value(metric.Name)
			row = append(row, exact(value))
		}
		rows = append(rows, append(row, strconv.FormatBool(e.Best)))
	}
	return atomicfile.Write(d.File(historyTable), func(w io.Writer) error {
		return csv.NewWriter(w).WriteAll(rows)
	})
}

func exact(v float64) string {
	if v-v != 0 { // not a number, or infinite
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
