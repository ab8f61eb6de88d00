package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"tftl/internal/csvrows"
	"tftl/pipeline"
)

// The columns of a manifest. Others are ignored unless Options.Columns names
// them. The fold column only counts if Options.Fold is set.
const (
	pathColumn   = "path"
	labelColumn  = "label"
	splitColumn  = "split"
	weightColumn = "weight"
	groupColumn  = "group"
	foldColumn   = "fold"
)

// manifestComma is what separates columns according to a manifest's name.
func manifestComma(name string) (comma rune, ok bool) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return ',', true
	case ".tsv":
		return '\t', true
	}
	return 0, false
}

// columnName makes column names equal that differ only in case or outer space.
func columnName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// readHeader reads the line that names the columns, including the required
// ones, and leaves the other lines to the reader. The first line may overrule
// the separator that the file's name implies: Excel writes semicolons in half
// of Europe, and may begin with a line "sep=;".
func readHeader(r io.Reader, comma rune, required []string) (in *csvrows.Reader, header []string, err error) {
	text, err := plainText(r, maxManifest)
	if err != nil {
		return nil, nil, err
	}
	commas := []rune{comma, ',', ';', '\t'}
	if first, rest, _ := strings.Cut(text, "\n"); separatorLine(first) != 0 {
		commas = []rune{separatorLine(first)}
		text = "\n" + rest // an empty line is skipped, but counted
	}
	for _, comma := range commas {
		in, header, err := readFirst(text, comma)
		if err == nil && len(missingColumns(header, required)) == 0 {
			return in, header, nil
		}
	}
	return readFirst(text, commas[0])
}

// separatorLine is the separator of Excel's line "sep=;", or 0.
func separatorLine(line string) rune {
	line = strings.Trim(strings.TrimSuffix(line, "\r"), `"`)
	if len(line) == len("sep=,") && strings.EqualFold(line[:4], "sep=") && strings.ContainsAny(line[4:], ",;\t|") {
		return rune(line[4])
	}
	return 0
}

func readFirst(text string, comma rune) (in *csvrows.Reader, header []string, err error) {
	in = csvrows.NewReader(strings.NewReader(text), maxRow)
	in.Comma, in.ReuseRecord = comma, true
	header, err = in.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, errors.New("is empty: its first line must name the columns, path and label")
	} else if err != nil {
		return nil, nil, atLine(err)
	}
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = csvrows.Plain(name)
	}
	return in, names, nil
}

// separatedBy names the separator if it is not the one that the name implies.
func separatedBy(comma, named rune) string {
	if comma == named {
		return ""
	}
	return map[rune]string{',': " with commas", ';': " with semicolons", '\t': " with tabs", '|': " with bars"}[comma]
}

// missingColumns are the required columns that a header does not name.
func missingColumns(header, required []string) []string {
	return slices.DeleteFunc(slices.Clone(required), func(column string) bool {
		return slices.ContainsFunc(header, func(name string) bool { return columnName(name) == column })
	})
}

// ownColumns are the columns that this package gives no meaning to, as spelled.
func ownColumns(header []string) []string {
	times := map[string]int{}
	for _, name := range header {
		times[columnName(name)]++
	}
	return slices.DeleteFunc(slices.Clone(header), func(name string) bool {
		name = columnName(name)
		return name == "" || times[name] > 1 || slices.Contains(knownColumns(), name)
	})
}

func knownColumns() []string {
	return []string{pathColumn, labelColumn, splitColumn, weightColumn, groupColumn, foldColumn}
}

// requiredColumns are those that a manifest must have.
func requiredColumns(labelled bool) []string {
	if labelled {
		return []string{pathColumn, labelColumn}
	}
	return []string{pathColumn}
}

// columns finds the columns to read, in any order and any case.
func columns(header []string, labelled bool, further []string) (at map[string]int, err error) {
	read := requiredColumns(labelled)
	if labelled {
		read = append(read, splitColumn, weightColumn, groupColumn, foldColumn)
	}
	for _, name := range further {
		read = append(read, columnName(name))
	}
	at = map[string]int{}
	for i, name := range header {
		name = columnName(name)
		if !slices.Contains(read, name) {
			continue
		}
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("line 1: has column %s twice", name)
		}
		at[name] = i
	}
	if missing := missingColumns(header, requiredColumns(labelled)); len(missing) > 0 {
		err := fmt.Errorf("line 1: has no column %s, only %s", strings.Join(missing, " or "), quoted(header))
		hint := "name the columns in the first line: path for the image files"
		if labelled {
			hint += ", label for their classes"
		}
		return nil, pipeline.WithHint(err, "%s", hint)
	}
	return at, nil
}

// atLine words an error of the CSV reader like other errors of a manifest.
func atLine(err error) error {
	var parse *csv.ParseError
	switch {
	case !errors.As(err, &parse):
		return err
	case errors.Is(parse.Err, csv.ErrFieldCount):
		return fmt.Errorf("line %d: has more or fewer columns than the first line", parse.Line)
	}
	return fmt.Errorf("line %d: column %d: %w", parse.Line, parse.Column, parse.Err)
}
