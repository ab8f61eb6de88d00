package findings

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/csvrows"
	"tftl/pipeline"
	"tftl/pipeline/audit"
)

// Row is a finding in audit.csv.
type Row struct {
	audit.Finding
	Accepted bool // by a baseline
}

// tableColumns are those of audit.csv.
func tableColumns() []string {
	return []string{"image", "kind", "score", "label", "suggested", "part", "group", "others", "leak", "detail", "accepted"}
}

// WriteTable writes audit.csv, a row per finding.
func WriteTable(w io.Writer, rows []Row) error {
	return writeRows(w, tableColumns(), len(rows), func(i int) []string {
		r := rows[i]
		group := ""
		if r.Group > 0 {
			group = strconv.Itoa(r.Group)
		}
		return []string{
			r.Image, string(r.Kind), strconv.FormatFloat(r.Score, 'f', 4, 64), r.Label, r.Suggested, r.Part, group,
			joined(r.Others), yes(r.Leak), r.Detail, yes(r.Accepted),
		}
	})
}

// ReadTable reads audit.csv. name is the file's, for errors. Columns may be in any
// order, and there may be others; what a finding is must be there.
func ReadTable(r io.Reader, name string) ([]Row, error) {
	var rows []Row
	err := readRows(r, name, []string{"image", "kind", "part", "group", "others", "leak"}, func(value func(string) string) error {
		row := Row{Finding: audit.Finding{
			Image: value("image"), Kind: audit.Kind(value("kind")), Label: value("label"), Suggested: value("suggested"),
			Part: value("part"), Detail: value("detail"),
		}}
		if row.Image == "" {
			return errors.New("has no image")
		}
		if !audit.IsKind(string(row.Kind)) {
			return fmt.Errorf("kind %q: must be one of %s", row.Kind, kindList())
		}
		if names := pipeline.Parts(); !slices.Contains(names[:], row.Part) {
			return fmt.Errorf("part %q: must be one of %s", row.Part, strings.Join(names[:], ", "))
		}
		var err error
		if row.Group, err = wholeNumber(value("group")); err != nil {
			return fmt.Errorf("group %w", err)
		}
		if row.Kind.Copies() != (row.Group > 0) {
			return fmt.Errorf("group %q: copies are in a group, and nothing else is", value("group"))
		}
		if text := value("score"); text != "" {
			if row.Score, err = strconv.ParseFloat(text, 64); err != nil || math.IsNaN(row.Score) || math.IsInf(row.Score, 0) {
				return fmt.Errorf("score %q: is not a number", text)
			}
		}
		if row.Others, err = split(value("others")); err != nil {
			return err
		}
		if row.Leak, err = isYes(value("leak")); err != nil {
			return fmt.Errorf("leak %w", err)
		}
		if row.Accepted, err = isYes(value("accepted")); err != nil {
			return fmt.Errorf("accepted %w", err)
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// maxRow is the most bytes of a row: the names of all images of a large group.
const maxRow = 16 << 20

// writeRows writes a CSV file of a header and n rows.
func writeRows(w io.Writer, columns []string, n int, row func(i int) []string) error {
	out := csv.NewWriter(w)
	_ = out.Write(columns) // Error returns it
	for i := range n {
		fields := row(i)
		for k, field := range fields { // for those who open the file in a spreadsheet
			fields[k] = csvrows.Inert(field)
		}
		_ = out.Write(fields)
	}
	out.Flush()
	return out.Error()
}

// readRows calls row for each row of a CSV file with the needed columns. value is the
// row's value in a column, or empty. An error is of kind BadData and names file and
// line.
func readRows(r io.Reader, name string, needed []string, row func(value func(string) string) error) error {
	in := csvrows.NewReader(r, maxRow)
	header, err := in.Read()
	if err != nil || len(header) == 0 {
		return tableError(name, 1, errNoHeader, err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // as a spreadsheet saves it
	at := map[string]int{}
	for i, column := range header {
		if _, twice := at[column]; twice {
			return tableError(name, 1, fmt.Errorf("column %q is there twice", column), nil)
		}
		at[column] = i
	}
	for _, column := range needed {
		if _, ok := at[column]; !ok {
			return tableError(name, 1, fmt.Errorf("has no column %q", column), nil)
		}
	}
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return tableError(name, 0, err, nil)
		}
		line, _ := in.FieldPos(0)
		err = row(func(column string) string {
			if i, ok := at[column]; ok {
				return csvrows.Plain(fields[i])
			}
			return ""
		})
		if err != nil {
			return tableError(name, line, err, nil)
		}
	}
}

var errNoHeader = errors.New("has no header")

// tableError is an error about a line. cause is what the csv reader said, if anything.
func tableError(name string, line int, err, cause error) error {
	var wrong *csv.ParseError
	for _, e := range []error{err, cause} {
		if errors.As(e, &wrong) {
			line, err = wrong.Line, wrong.Err
		}
	}
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "%s:%d: %w", name, line, err), "tftl audit writes such files")
}

func kindList() string {
	var words []string
	for _, k := range audit.Kinds() {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

func wholeNumber(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q: is not a whole number", text)
	}
	return n, nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func isYes(text string) (bool, error) {
	switch text {
	case "":
		return false, nil
	case "yes":
		return true, nil
	}
	return false, fmt.Errorf("%q: must be yes or empty", text)
}

// joined writes names into one field: separated by semicolons, with those in quotes
// that have one.
func joined(names []string) string {
	if len(names) == 0 {
		return ""
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = ';'
	_ = w.Write(names) // to memory
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// split undoes joined.
func split(field string) ([]string, error) {
	if field == "" {
		return nil, nil
	}
	r := csv.NewReader(strings.NewReader(field))
	r.Comma = ';'
	names, err := r.Read()
	if err == nil {
		_, more := r.Read()
		if errors.Is(more, io.EOF) && !slices.Contains(names, "") {
			return names, nil
		}
	}
	return nil, fmt.Errorf("others %q: must be names separated by semicolons", field)
}
