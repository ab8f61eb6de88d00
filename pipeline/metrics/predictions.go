package metrics

import (
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// Table is a model's predictions for samples: predictions.csv, from which every
// metric and every plot is computed.
type Table struct {
	Classes     []string
	Predictions []pipeline.Prediction
	Slices      map[string][]string // by column, one value per prediction; nil: there are none
	// Decision is the one that ReadTable found in the file. The logits are from
	// before its temperature.
	Decision Decision
}

// Select returns the rows that keep accepts, in their order.
func (t Table) Select(keep func(i int) bool) Table {
	kept := Table{Classes: t.Classes, Decision: t.Decision}
	if t.Slices != nil {
		kept.Slices = make(map[string][]string, len(t.Slices))
	}
	for i, p := range t.Predictions {
		if !keep(i) {
			continue
		}
		kept.Predictions = append(kept.Predictions, p)
		for column, values := range t.Slices {
			kept.Slices[column] = append(kept.Slices[column], values[i])
		}
	}
	return kept
}

// Write writes the table as CSV, one row per sample:
//
//	path,label,predicted,probability,p(CLASS)…,logit(CLASS)…,slice(COLUMN)…,temperature,threshold
//
// predicted is the decision's class and probability is that of this class. It
// and all of p are at the decision's temperature. Logits are the model's, before
// the temperature, and are read back bit for bit. There is no label column if no
// sample has a label, and there are no logits if the model has none. A labelled
// table with logits gets the last two columns unless the decision is simply the
// most likely class.
//
// Names are other people's folder names. One that a spreadsheet would take for a
// formula gets a ' in front, and so does one that begins with '.
func (t Table) Write(w io.Writer, d Decision) error {
	labelled := slices.ContainsFunc(t.Predictions, func(p pipeline.Prediction) bool { return p.Sample.Label >= 0 })
	logits := len(t.Predictions) > 0 && t.Predictions[0].Logits != nil
	columns := t.columns()
	out := csv.NewWriter(w)
	header, decided := t.header(labelled, logits, columns), labelled && logits && (d.Temperature != 0 || d.Threshold != 0)
	if decided {
		header = append(header, decisionColumns()...)
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for i, p := range t.Predictions {
		row := []string{inert(p.Sample.ID)}
		switch {
		case p.Sample.Label >= 0:
			row = append(row, inert(t.Classes[p.Sample.Label]))
		case labelled:
			row = append(row, "")
		}
		probabilities := d.calibrate(p).Probabilities
		class := d.Class(probabilities)
		row = append(row, inert(t.Classes[class]), shortest(probabilities[class]))
		for _, v := range probabilities {
			row = append(row, shortest(v))
		}
		if logits {
			for _, v := range p.Logits {
				row = append(row, shortest(v))
			}
		}
		for _, column := range columns {
			row = append(row, inert(t.Slices[column][i]))
		}
		if decided {
			row = append(row, strconv.FormatFloat(cmp.Or(d.Temperature, 1), 'g', -1, 64), strconv.FormatFloat(d.Threshold, 'g', -1, 64))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// decisionColumns hold the decision: a temperature of 1 and a threshold of 0 mean
// none.
func decisionColumns() []string { return []string{"temperature", "threshold"} }

// columns lists the slices' columns, sorted.
func (t Table) columns() []string {
	var names []string
	for name := range t.Slices {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (t Table) header(labelled, logits bool, columns []string) []string {
	header := []string{"path"}
	if labelled {
		header = append(header, "label")
	}
	header = append(header, "predicted", "probability")
	for _, class := range t.Classes {
		header = append(header, "p("+class+")")
	}
	if logits {
		for _, class := range t.Classes {
			header = append(header, "logit("+class+")")
		}
	}
	for _, column := range columns {
		header = append(header, "slice("+column+")")
	}
	return header
}

// ReadTable reads what Write wrote for labelled samples. It ignores predicted and
// probability, which follow from the rest. Errors name the file, name, and the
// line. Line breaks in names are read as \n.
func ReadTable(r io.Reader, name string) (Table, error) {
	in := csv.NewReader(r)
	bad := func(format string, args ...any) error {
		line, _ := in.FieldPos(0)
		return pipeline.Errorf(pipeline.BadData, "%s:%d: "+format, append([]any{name, line}, args...)...)
	}
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return Table{}, pipeline.Errorf(pipeline.BadData, "%s: the file is empty", name)
	} else if err != nil {
		return Table{}, unreadable(name, err)
	}
	t, width, err := readHeader(header)
	if err != nil {
		return Table{}, bad("%w", err)
	}
	columns := t.columnsOf(header, firstClass+width)
	labels := map[string]int{}
	for i, class := range t.Classes {
		labels[class] = i
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return Table{}, unreadable(name, err)
		}
		label, ok := labels[plainText(row[1])]
		if !ok {
			return Table{}, bad("the label %q is not a class of the header", row[1])
		}
		values, err := floats(row[firstClass : firstClass+width])
		if err != nil {
			return Table{}, bad("%w", err)
		}
		p := pipeline.Prediction{Sample: pipeline.Sample{ID: plainText(row[0]), Label: label, Weight: 1}}
		classes := len(t.Classes)
		p.Probabilities = values[:classes:classes]
		if width > classes {
			p.Logits = values[classes:]
		}
		if what, value := p.Unsound(); what != "" {
			line, _ := in.FieldPos(0)
			return Table{}, pipeline.Errorf(pipeline.BadModel, "%s:%d: image %s: the model's %s %g", name, line, p.Sample.ID, what, value)
		}
		t.Predictions = append(t.Predictions, p)
		for i, column := range columns {
			t.Slices[column] = append(t.Slices[column], plainText(row[firstClass+width+i]))
		}
		if decided := row[firstClass+width+len(columns):]; len(decided) > 0 {
			if t.Decision, err = readDecision(decided, classes); err != nil {
				return Table{}, bad("%w", err)
			}
		}
	}
}

// firstClass is the first column of a class, after path, label, predicted and
// probability.
const firstClass = 4

// readHeader finds the classes and slices, and how many columns of numbers lie
// before the slices.
func readHeader(header []string) (t Table, width int, err error) {
	want := []string{"path", "label", "predicted", "probability"}
	if len(header) < firstClass || !slices.Equal(header[:firstClass], want) {
		return t, 0, errors.New("is not a table of predictions: it does not begin with path,label,predicted,probability")
	}
	rest := header[firstClass:]
	take := func(kind string) (names []string) {
		for len(rest) > 0 {
			inner, ok := strings.CutPrefix(rest[0], kind+"(")
			if !ok || !strings.HasSuffix(inner, ")") {
				break
			}
			names, rest = append(names, strings.TrimSuffix(inner, ")")), rest[1:]
		}
		return names
	}
	t.Classes = take("p")
	logits, columns := take("logit"), take("slice")
	switch {
	case len(t.Classes) == 0:
		return t, 0, errors.New("has no p(CLASS) column")
	case logits != nil && !slices.Equal(logits, t.Classes):
		return t, 0, errors.New("the logit(CLASS) columns do not match the p(CLASS) columns")
	case len(rest) > 0 && !(logits != nil && slices.Equal(rest, decisionColumns())):
		return t, 0, pipeline.Errorf(pipeline.BadData, "unknown column %q", rest[0])
	}
	for _, names := range [][]string{t.Classes, columns} {
		sorted := slices.Sorted(slices.Values(names))
		if unique := slices.Compact(slices.Clone(sorted)); len(unique) < len(names) {
			return t, 0, errors.New("two columns have the same name")
		}
	}
	if columns != nil {
		t.Slices = map[string][]string{}
		for _, column := range columns {
			t.Slices[column] = nil
		}
	}
	return t, len(t.Classes) + len(logits), nil
}

// readDecision reads decisionColumns.
func readDecision(fields []string, classes int) (d Decision, err error) {
	for i, value := range []*float64{&d.Temperature, &d.Threshold} {
		if *value, err = strconv.ParseFloat(fields[i], 64); err != nil {
			return d, pipeline.Errorf(pipeline.BadData, "%q is not a number", fields[i])
		}
	}
	if d.Temperature == 1 {
		d.Temperature = 0
	}
	return d, d.Check(classes)
}

// columnsOf lists the slices' columns in the order of the header; first is the first of them.
func (t Table) columnsOf(header []string, first int) []string {
	var names []string
	for _, field := range header[first : first+len(t.Slices)] {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(field, "slice("), ")"))
	}
	return names
}

// unreadable names the line that is not CSV.
func unreadable(name string, err error) error {
	if e := (*csv.ParseError)(nil); errors.As(err, &e) {
		return pipeline.Errorf(pipeline.BadData, "%s:%d: %w", name, e.Line, e.Err)
	}
	return pipeline.Errorf(pipeline.BadData, "%s: %w", name, err)
}

func floats(texts []string) ([]float32, error) {
	values := make([]float32, len(texts))
	for i, text := range texts {
		v, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return nil, pipeline.Errorf(pipeline.BadData, "%q is not a number", text)
		}
		values[i] = float32(v)
	}
	return values, nil
}

// shortest is the shortest decimal that reads back as the same value.
func shortest(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

// inert keeps a spreadsheet from running a name as a formula.
func inert(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r'", rune(name[0])) {
		return "'" + name
	}
	return name
}

// plainText undoes inert.
func plainText(field string) string { return strings.TrimPrefix(field, "'") }
