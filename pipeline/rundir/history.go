package rundir

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"

	"tftl/internal/atomicfile"
	"tftl/internal/csvrows"
	"tftl/pipeline"
)

// WriteHistoryCSV writes history.csv: a row per epoch, a column per metric. A value
// that is missing or not finite is left empty.
func (d Dir) WriteHistoryCSV(history []pipeline.Epoch) error {
	if len(history) == 0 {
		return nil
	}
	header := []string{"stage", "epoch", "step", "lr"}
	names := pipeline.MetricNames(history)
	header = append(header, names...)
	rows := [][]string{append(header, "best")}
	for _, e := range history {
		row := []string{csvrows.Inert(e.Stage), strconv.Itoa(e.Epoch), strconv.Itoa(e.Step), exact(e.LearningRate)}
		for _, name := range names {
			value, ok := e.Value(name)
			if !ok {
				value = math.NaN()
			}
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
