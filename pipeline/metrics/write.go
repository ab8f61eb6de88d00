package metrics

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
)

// Write writes the table as CSV, one row per sample:
//
//	path,label,predicted,probability,loss,p(CLASS)…,slice(COLUMN)…,temperature,threshold,confidence,set_probability
//
// predicted is the decision's class and probability is that of this class. It,
// the loss and all of p are at the decision's temperature, and are read back bit
// for bit. There are no logits: they are the logarithms of p, times the
// temperature, plus a number for each row. There is no label and no loss if no
// sample has a label. A labelled table gets temperature and threshold unless the
// decision is simply the most likely class, and the last two columns if the decision
// abstains or has sets.
//
// Names are other people's folder names. One that a spreadsheet would take for a
// formula gets a ' in front, and so does one that begins with '.
func (t Table) Write(w io.Writer, d Decision) error {
	labelled, columns := t.labelled(), t.columns()
	header := start(labelled)
	for _, class := range t.Classes {
		header = append(header, "p("+class+")")
	}
	for _, column := range columns {
		header = append(header, "slice("+column+")")
	}
	var decided []string
	if labelled {
		decided = d.fields()
		header = append(header, decisionColumns()[:len(decided)]...)
	}
	return t.writeRows(w, header, func(r *row, i int) {
		probabilities := r.begin(t, d, i, labelled)
		for _, p := range probabilities {
			r.number(float64(p), 32)
		}
		for _, column := range columns {
			r.words(inert(t.Slices[column][i]))
		}
		if decided != nil {
			r.words(decided...)
		}
	})
}

// WriteTop writes only the k most likely classes of each sample:
//
//	path,label,predicted,probability,loss,predicted_2,probability_2…
//
// It takes little room with many classes, but most metrics and the curves cannot
// be computed from it.
func (t Table) WriteTop(w io.Writer, d Decision, k int) error {
	labelled, k := t.labelled(), min(k, len(t.Classes))
	header := start(labelled)
	for i := 2; i <= k; i++ {
		header = append(header, fmt.Sprintf("predicted_%d", i), fmt.Sprintf("probability_%d", i))
	}
	return t.writeRows(w, header, func(r *row, i int) {
		probabilities := r.begin(t, d, i, labelled)
		for _, class := range d.RankClasses(probabilities)[1:k] {
			r.words(inert(t.Classes[class]))
			r.number(float64(probabilities[class]), 32)
		}
	})
}

// start is the columns that each table has.
func start(labelled bool) []string {
	if labelled {
		return []string{"path", "label", "predicted", "probability", "loss"}
	}
	return []string{"path", "predicted", "probability"}
}

// decisionColumns hold the decision: a temperature of 1 and 0 elsewhere mean none. The
// last two are missing if they would be 0, and in tables of older versions.
func decisionColumns() []string {
	return []string{"temperature", "threshold", "confidence", "set_probability"}
}

// fields are those of the first of decisionColumns, or nil if there is nothing to say.
func (d Decision) fields() []string {
	fields := []string{exact(cmp.Or(d.Temperature, 1)), exact(d.Threshold)}
	switch {
	case d.Abstains() || d.HasSets():
		return append(fields, exact(d.Confidence), exact(d.Set))
	case d.Temperature != 0 || d.Threshold != 0:
		return fields
	}
	return nil
}

// writeRows writes rows in order, but formats several at the same time.
func (t Table) writeRows(w io.Writer, header []string, format func(r *row, i int)) error {
	if err := csv.NewWriter(w).WriteAll([][]string{header}); err != nil {
		return err
	}
	rows := make([]row, runtime.GOMAXPROCS(0))
	n, each := len(t.Predictions), 1+1<<16/len(header) // about a megabyte
	for first := 0; first < n; first += each * len(rows) {
		err := spread(context.Background(), len(rows), func() func(int) {
			return func(k int) {
				for i := first + k*each; i < min(first+(k+1)*each, n); i++ {
					format(&rows[k], i)
					rows[k].end()
				}
			}
		})
		if err != nil {
			return err
		}
		for k := range rows {
			if _, err := rows[k].text.WriteTo(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// row writes fields into a buffer.
type row struct {
	text  bytes.Buffer
	names *csv.Writer // to text
	begun bool
	digit [32]byte
}

// begin writes what each table begins with, and returns the probabilities.
func (r *row) begin(t Table, d Decision, i int, labelled bool) []float32 {
	p, loss := t.decidedRow(i, d)
	class := d.Class(p.Probabilities)
	r.words(inert(p.Sample.ID))
	if labelled && p.Sample.Label >= 0 {
		r.words(inert(t.Classes[p.Sample.Label]))
	} else if labelled {
		r.words("")
	}
	r.words(inert(t.Classes[class]))
	r.number(float64(p.Probabilities[class]), 32)
	if labelled && math.IsNaN(loss) {
		r.words("")
	} else if labelled {
		r.number(loss, 64)
	}
	return p.Probabilities
}

// words writes fields that may need quotes.
func (r *row) words(fields ...string) {
	r.comma()
	if r.names == nil {
		r.names = csv.NewWriter(&r.text)
	}
	_ = r.names.Write(fields) // into memory, which does not fail
	r.names.Flush()
	r.text.Truncate(r.text.Len() - len("\n"))
}

// number writes the shortest decimal that reads back as the same value of that
// many bits.
func (r *row) number(v float64, bits int) {
	r.comma()
	r.text.Write(strconv.AppendFloat(r.digit[:0], v, 'g', -1, bits))
}

func (r *row) comma() {
	if r.begun {
		r.text.WriteByte(',')
	}
	r.begun = true
}

func (r *row) end() {
	r.text.WriteByte('\n')
	r.begun = false
}

// inert keeps a spreadsheet from running a name as a formula.
func inert(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r\n'", rune(name[0])) {
		return "'" + name
	}
	return name
}

// plainText undoes inert.
func plainText(field string) string { return strings.TrimPrefix(field, "'") }
