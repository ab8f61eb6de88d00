package metrics

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/csvrows"
	"tftl/internal/gz"
	"tftl/pipeline"
)

// ReadTable reads what Write or WriteTop wrote for labelled samples, as it is or
// compressed with gzip. Errors name the file, name, and the line. Line breaks in
// names are read as \n.
//
// Older tables have logits instead of losses. Their predictions are the model's,
// and Decide makes the same of them as before.
func ReadTable(r io.Reader, name string) (Table, error) {
	text, err := gz.NewReader(r)
	if err != nil {
		return Table{}, pipeline.Errorf(pipeline.BadData, "%s: %w", name, err)
	}
	in := csvrows.NewReader(text, maxRow)
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return Table{}, pipeline.Errorf(pipeline.BadData, "%s: the file is empty", name)
	} else if err != nil {
		return Table{}, unreadable(name, err)
	}
	t, f, err := readHeader(slices.Clone(header))
	var room room
	for err == nil {
		var fields []string
		if fields, err = in.Read(); errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return Table{}, unreadable(name, err)
		}
		if err = room.take(t, fields); err == nil {
			err = t.readRow(fields, f)
		}
	}
	kind := pipeline.BadData
	if pipeline.KindOf(err) == pipeline.BadModel {
		kind = pipeline.BadModel
	}
	line, _ := in.FieldPos(0)
	return Table{}, pipeline.Errorf(kind, "%s:%d: %w", name, line, err)
}

// format is where a file has what.
type format struct {
	loss    bool // after the probability
	logits  bool // after the probabilities
	columns []string
	decided bool           // the file ends with decisionColumns
	classes map[string]int // their indexes
}

// readHeader finds the classes and slices.
func readHeader(header []string) (t Table, f format, err error) {
	first := start(true)
	old := first[:len(first)-1]
	switch {
	case len(header) >= len(first) && slices.Equal(header[:len(first)], first):
		f.loss, header = true, header[len(first):]
	case len(header) >= len(old) && slices.Equal(header[:len(old)], old):
		header = header[len(old):]
	default:
		return t, f, errors.New("is not a table of predictions: it does not begin with " + strings.Join(old, ","))
	}
	f.classes = map[string]int{}
	if f.loss && (len(header) == 0 || header[0] == "predicted_2") {
		t.Top = 1 + len(header)/2
		return t, f, nil
	}
	take := func(kind string) (names []string) {
		for len(header) > 0 {
			inner, ok := strings.CutPrefix(header[0], kind+"(")
			if !ok || !strings.HasSuffix(inner, ")") {
				break
			}
			names, header = append(names, strings.TrimSuffix(inner, ")")), header[1:]
		}
		return names
	}
	t.Classes = take("p")
	logits, columns := take("logit"), take("slice")
	f.logits, f.columns, f.decided = logits != nil, columns, len(header) > 0
	switch {
	case len(t.Classes) == 0:
		return t, f, errors.New("has no p(CLASS) column")
	case f.logits && !slices.Equal(logits, t.Classes):
		return t, f, errors.New("the logit(CLASS) columns do not match the p(CLASS) columns")
	case f.decided && !(f.loss != f.logits && (slices.Equal(header, decisionColumns()) || slices.Equal(header, decisionColumns()[:2]))):
		return t, f, pipeline.Errorf(pipeline.BadData, "unknown column %q", header[0])
	}
	for _, names := range [][]string{t.Classes, columns} {
		sorted := slices.Sorted(slices.Values(names))
		if unique := slices.Compact(slices.Clone(sorted)); len(unique) < len(names) {
			return t, f, errors.New("two columns have the same name")
		}
	}
	for i, class := range t.Classes {
		f.classes[class] = i
	}
	if columns != nil {
		t.Slices = map[string][]string{}
	}
	return t, f, nil
}

// readRow adds a row. It keeps none of the fields, which share the memory of the
// whole line.
func (t *Table) readRow(fields []string, f format) (err error) {
	label, err := t.class(fields[1], f)
	if err != nil {
		return pipeline.Errorf(pipeline.BadData, "the label %q is not a class of the header", fields[1])
	}
	p := pipeline.Prediction{Sample: pipeline.Sample{ID: strings.Clone(plainText(fields[0])), Label: label, Weight: 1}}
	rest := fields[len(start(true))-1:]
	if f.loss {
		loss, err := strconv.ParseFloat(rest[0], 64)
		if err != nil {
			return pipeline.Errorf(pipeline.BadData, "%q is not a number", rest[0])
		}
		t.Loss, rest = append(t.Loss, loss), rest[1:]
	}
	if t.Top > 0 {
		chosen, err := t.class(fields[2], f)
		t.Chosen, t.Predictions = append(t.Chosen, chosen), append(t.Predictions, p)
		return err
	}
	classes := len(t.Classes)
	if p.Probabilities, err = floats(rest[:classes]); err != nil {
		return err
	}
	if rest = rest[classes:]; f.logits {
		if p.Logits, err = floats(rest[:classes]); err != nil {
			return err
		}
		rest = rest[classes:]
	}
	if what, value := p.Unsound(); what != "" {
		return pipeline.Errorf(pipeline.BadModel, "image %s: the model's %s %g", p.Sample.ID, what, value)
	}
	t.Predictions = append(t.Predictions, p)
	for i, column := range f.columns {
		t.Slices[column] = append(t.Slices[column], strings.Clone(plainText(rest[i])))
	}
	if f.decided {
		t.Decision, err = readDecision(rest[len(f.columns):], classes)
	}
	return err
}

// class is the index of a class. A table of the most likely classes has no other
// list of them.
func (t *Table) class(field string, f format) (int, error) {
	name := plainText(field)
	i, ok := f.classes[name]
	if !ok && t.Top == 0 {
		return 0, errors.New("unknown class")
	}
	if !ok {
		i, name = len(t.Classes), strings.Clone(name)
		f.classes[name], t.Classes = i, append(t.Classes, name)
	}
	return i, nil
}

// readDecision reads decisionColumns.
func readDecision(fields []string, classes int) (d Decision, err error) {
	for i, value := range []*float64{&d.Temperature, &d.Threshold, &d.Confidence, &d.Set}[:len(fields)] {
		if *value, err = strconv.ParseFloat(fields[i], 64); err != nil {
			return d, pipeline.Errorf(pipeline.BadData, "%q is not a number", fields[i])
		}
	}
	if d.Temperature == 1 {
		d.Temperature = 0
	}
	return d, d.Check(classes)
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
