package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/pipeline"
)

// The columns of a manifest. It may have others, which are passed over unless
// Options.Columns names them; fold counts where Options.Fold is set.
const (
	pathColumn   = "path"
	labelColumn  = "label"
	splitColumn  = "split"
	weightColumn = "weight"
	groupColumn  = "group"
	foldColumn   = "fold"
)

// manifestComma is what separates the columns of a manifest of this name.
func manifestComma(name string) (comma rune, ok bool) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return ',', true
	case ".tsv":
		return '\t', true
	}
	return 0, false
}

// columnName makes names of columns alike that are told apart by case or
// space alone.
func columnName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// readHeader reads the line that names the columns, those that are required
// among them, and leaves the others to the reader. Columns are separated as the
// name of the file says, or otherwise where its first line tells: Excel writes
// semicolons in half of Europe, and a line "sep=;" before all others.
func readHeader(r io.Reader, comma rune, required []string) (in *csv.Reader, header []string, err error) {
	text, err := plainText(r)
	if err != nil {
		return nil, nil, err
	}
	commas := []rune{comma, ',', ';', '\t'}
	if first, rest, _ := strings.Cut(text, "\n"); separatorLine(first) != 0 {
		commas = []rune{separatorLine(first)}
		text = "\n" + rest // an empty line is passed over, and counted
	}
	for _, comma := range commas {
		in, header, err := readFirst(text, comma)
		if err == nil && len(missingColumns(header, required)) == 0 {
			return in, header, nil
		}
	}
	return readFirst(text, commas[0])
}

// separatorLine is the separator that a line of Excel's says, or 0.
func separatorLine(line string) rune {
	line = strings.Trim(strings.TrimSuffix(line, "\r"), `"`)
	if len(line) == len("sep=,") && strings.EqualFold(line[:4], "sep=") && strings.ContainsAny(line[4:], ",;\t|") {
		return rune(line[4])
	}
	return 0
}

func readFirst(text string, comma rune) (in *csv.Reader, header []string, err error) {
	in = csv.NewReader(strings.NewReader(text))
	in.Comma, in.ReuseRecord = comma, true
	header, err = in.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, errors.New("is empty: its first line is to name the columns path and label")
	} else if err != nil {
		return nil, nil, atLine(err)
	}
	return in, slices.Clone(header), nil
}

// separatedBy says how columns are separated where the file's name says otherwise.
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

// OwnColumns are the columns of a manifest, as it names them, that this package
// gives no meaning to. What is no manifest has none.
func OwnColumns(path string) ([]string, error) {
	comma, ok := manifestComma(path)
	if info, err := os.Stat(path); !ok || err != nil || !info.Mode().IsRegular() {
		return nil, nil // opening it says what is wrong
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	defer f.Close()
	_, header, err := readHeader(f, comma, requiredColumns(true))
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "%s: %w", path, err)
	}
	times := map[string]int{}
	for _, name := range header {
		times[columnName(name)]++
	}
	return slices.DeleteFunc(header, func(name string) bool {
		name = columnName(name)
		return name == "" || times[name] > 1 || slices.Contains(knownColumns(), name)
	}), nil
}

func knownColumns() []string {
	return []string{pathColumn, labelColumn, splitColumn, weightColumn, groupColumn, foldColumn}
}

// requiredColumns are those that a manifest cannot do without.
func requiredColumns(labelled bool) []string {
	if labelled {
		return []string{pathColumn, labelColumn}
	}
	return []string{pathColumn}
}

// columns finds the columns that are read in a header, in any order and any case.
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
			return nil, fmt.Errorf("line 1: column %s is there twice", name)
		}
		at[name] = i
	}
	if missing := missingColumns(header, requiredColumns(labelled)); len(missing) > 0 {
		err := fmt.Errorf("line 1: names no column %s; it has %s", strings.Join(missing, " and no column "), quoted(header))
		hint := "the first line names the columns: rename that of the images' files to path"
		if labelled {
			hint += ", that of their classes to label"
		}
		return nil, pipeline.WithHint(err, "%s", hint)
	}
	return at, nil
}

// atLine puts an error of the CSV reader into a manifest's words.
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
