package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"tftl/internal/printable"
	"tftl/pipeline/curve"
	"tftl/pipeline/metrics"
)

// LearningCurve is a learning curve, for people.
type LearningCurve struct {
	Data, Model string
	Found       curve.Result
	Test        *metrics.TestSet // nil: no width was asked for
}

// values are the metric with all training images, and with more.
func (c LearningCurve) values() []curve.Value {
	return append([]curve.Value{c.Found.Now}, c.Found.Expected...)
}

// rows are the values in words, one row each.
func (c LearningCurve) rows() (rows [][]string) {
	for i, v := range c.values() {
		words := [...]string{"now", "twice as many", "four times as many"}[i]
		rows = append(rows, []string{fmt.Sprintf("%d (%s)", v.Images, words), fixed(v.Value, 3), interval(v.Here[0], v.Here[1]), interval(v.General[0], v.General[1])})
	}
	return rows
}

// header is that of rows.
func (c LearningCurve) header() []string {
	return []string{"training images", c.metric(), "here", "in general"}
}

// metric is its name in a sentence.
func (c LearningCurve) metric() string {
	if c.Found.Metric == curve.BalancedAccuracy {
		return "balanced accuracy"
	}
	return c.Found.Metric
}

// WriteTable writes what more images would do, for a terminal.
func (c LearningCurve) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{c.header()}, c.rows()...) {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range append([]string{c.legend()}, c.sentences()...) {
		if _, err := printable.Fprintf(w, "\n%s\n", line); err != nil {
			return err
		}
	}
	if c.Test == nil {
		return nil
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return TestSet{*c.Test}.WriteTable(w)
}

// MarshalJSON writes the curve and the size of the test set as one object.
func (c LearningCurve) MarshalJSON() ([]byte, error) {
	return marshal(struct {
		Data  string `json:"data"`
		Model string `json:"model"`
		curve.Result
		Words []string         `json:"words"`
		Test  *metrics.TestSet `json:"test_set,omitempty"`
	}{c.Data, c.Model, c.Found, c.sentences(), c.Test})
}

// WriteCSV writes a row for each head that was trained.
func (c LearningCurve) WriteCSV(w io.Writer) error {
	header := []string{"images", "seed", "diverged", "epoch", "val_accuracy", "val_balanced_accuracy", "val_loss"}
	for _, class := range c.Found.Classes {
		header = append(header, "val_recall["+class.Name+"]")
	}
	rows := [][]string{header}
	exact := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, h := range c.Found.Heads {
		row := []string{strconv.Itoa(h.Images), strconv.FormatUint(h.Seed, 10), strconv.FormatBool(h.Diverged)}
		if !h.Diverged {
			row = append(row, strconv.Itoa(h.Epoch), exact(h.Accuracy), exact(h.BalancedAccuracy), exact(h.Loss))
			for i, class := range c.Found.Classes {
				recall := ""
				if class.Validation > 0 {
					recall = exact(float64(h.Right[i]) / float64(class.Validation))
				}
				row = append(row, recall)
			}
		}
		rows = append(rows, append(row, make([]string, len(header)-len(row))...))
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// TestSet says how many test images an interval takes, for people.
type TestSet struct{ metrics.TestSet }

// WriteTable writes it for a terminal.
func (t TestSet) WriteTable(w io.Writer) error {
	for _, line := range t.sentences() {
		if _, err := printable.Fprintf(w, "%s\n", line); err != nil {
			return err
		}
	}
	if len(t.Classes) == 0 || len(t.Classes) > shownClasses {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "class\trecall\timages")
	for _, c := range t.Classes {
		fmt.Fprintf(table, "%s\t%s\t%d\n", shorten(c.Class, nameRunes), fixed(c.Value, 3), c.Images)
	}
	return table.Flush()
}

// sentences say it in words.
func (t TestSet) sentences() []string {
	first := fmt.Sprintf("For a 95%% interval of the accuracy that is %s wide from end to end, the test part needs %s at an accuracy of %s", number(t.Width), count(t.Accuracy.Images, "image"), fixed(t.Accuracy.Value, 3))
	if t.AtWorst != nil && t.AtWorst.Images > t.Accuracy.Images {
		first += fmt.Sprintf(", and %d if that is %s", t.AtWorst.Images, fixed(t.AtWorst.Value, 3))
	}
	list := []string{first + "."}
	if t.Balanced != nil {
		list = append(list, fmt.Sprintf("For the balanced accuracy it needs %s, %d of each class; for the recall of a class, as many images of that class as the table says.",
			count(t.Balanced.Images, "image"), t.Balanced.Images/len(t.Classes)))
	}
	return list
}
