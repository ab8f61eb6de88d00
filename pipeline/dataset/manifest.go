package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
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

// row is a line of a manifest.
type row struct {
	line   int
	path   string // as it is written
	label  string
	part   part
	split  bool // whether part was given
	weight float32
	group  string
	fold   string
	values []string // of Options.Columns
}

// manifest is what a manifest's file says.
type manifest struct {
	columns []string // but for path and label, as the first line writes them
	rows    []row
}

// columnName makes names of columns alike that are told apart by case or
// space alone.
func columnName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// listManifest lists a table of images: path and label, and where it has the
// columns split, weight and group. A path is one from the manifest's folder.
func listManifest(name string, comma rune, options Options) (listing, error) {
	f, err := os.Open(name)
	if err != nil {
		return listing{}, pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	defer f.Close()
	m, err := readManifest(f, comma, true, options.Columns)
	if err != nil {
		return listing{}, pipeline.Errorf(pipeline.BadData, "%s: %w", name, err)
	}
	l := listing{root: name, what: "CSV manifest", columns: m.columns}
	if comma == '\t' {
		l.what = "TSV manifest"
	}
	if options.Fold != nil {
		if l.folds, err = holdOut(m.rows, *options.Fold); err != nil {
			return listing{}, fmt.Errorf("%s: %w", name, err)
		}
		l.what += fmt.Sprintf(", fold %d of %d held out as test", *options.Fold, l.folds)
	}
	seen := map[string]int{} // line by file
	partsOf := map[string][3]bool{}
	for _, r := range m.rows {
		full, err := r.file(name, seen, options.AllowOutside)
		if err != nil {
			return listing{}, err
		}
		id := path.Clean(filepath.ToSlash(r.path))
		l.parts[r.part] = append(l.parts[r.part], item{
			id: id, class: r.label, key: id, weight: r.weight, group: r.group, fold: r.fold, values: r.values, stored: file(full),
		})
		if r.group != "" {
			in := partsOf[r.group]
			in[r.part] = true
			partsOf[r.group] = in
		}
		l.split = l.split || r.split
	}
	if l.split && options.Fold == nil {
		l.what += " with its own parts"
	}
	var torn []string
	for group, in := range partsOf {
		if in[train] && (in[validation] || in[test]) || in[validation] && in[test] {
			torn = append(torn, group)
		}
	}
	if slices.Sort(torn); len(torn) > 0 {
		l.warn("groups that lie in several parts: %s", quoted(torn))
	}
	return l, nil
}

// file is the image that a row of a manifest of this name stands for. It must
// be there, and on no row before: seen has their lines.
func (r row) file(manifest string, seen map[string]int, allowOutside bool) (string, error) {
	bad := func(format string, args ...any) error {
		return pipeline.Errorf(pipeline.BadData, "%s: line %d: "+format, append([]any{manifest, r.line}, args...)...)
	}
	full := filepath.FromSlash(r.path)
	if !allowOutside && !filepath.IsLocal(full) {
		return "", pipeline.WithHint(bad("%s lies outside the manifest's folder", r.path), "--allow-outside lets a manifest name any file")
	}
	if !filepath.IsAbs(full) {
		full = filepath.Join(filepath.Dir(manifest), full)
	}
	full = filepath.Clean(full)
	if first, twice := seen[full]; twice {
		return "", bad("%s is on line %d already", r.path, first)
	}
	seen[full] = r.line
	if info, err := os.Stat(full); err != nil {
		return "", bad("%w", err)
	} else if !info.Mode().IsRegular() {
		return "", bad("%s is no file", full)
	}
	return full, nil
}

// readManifest reads the lines and checks what a line can be checked for by
// itself. An error names the line. Of one that need not be labelled the paths
// alone are read, and the further columns.
func readManifest(r io.Reader, comma rune, labelled bool, further []string) (m manifest, err error) {
	in, header, err := readHeader(r, comma)
	if err != nil {
		return manifest{}, err
	}
	at, err := columns(header, labelled, further)
	if err != nil {
		return manifest{}, err
	}
	for _, name := range header {
		if n := columnName(name); n != "" && n != pathColumn && n != labelColumn {
			m.columns = append(m.columns, strings.TrimSpace(name))
		}
	}
	unsplit := 0 // the first line without a part
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return manifest{}, atLine(err)
		}
		line, _ := in.FieldPos(0)
		r, err := parseRow(fields, at, further)
		if err != nil {
			return manifest{}, fmt.Errorf("line %d: %w", line, err)
		}
		r.line = line
		if !r.split && unsplit == 0 {
			unsplit = line
		}
		if len(m.rows) > 0 && r.split != m.rows[0].split {
			return manifest{}, fmt.Errorf("line %d: split is empty, and not on other lines", unsplit)
		}
		m.rows = append(m.rows, r)
	}
	if len(m.rows) == 0 {
		return manifest{}, errors.New("has no images: there is only the line that names the columns")
	}
	return m, nil
}

// readHeader reads the first line and leaves the others to the reader.
func readHeader(r io.Reader, comma rune) (in *csv.Reader, header []string, err error) {
	buffered := bufio.NewReader(r)
	switch head, _ := buffered.Peek(3); { // a short file has no mark
	case len(head) >= 2 && (string(head[:2]) == "\xff\xfe" || string(head[:2]) == "\xfe\xff"):
		return nil, nil, errors.New("is UTF-16: save it as UTF-8")
	case string(head) == "\ufeff":
		_, _ = buffered.Discard(len(head)) // it was peeked at
	}
	in = csv.NewReader(buffered)
	in.Comma, in.ReuseRecord = comma, true
	header, err = in.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, errors.New("is empty: its first line is to name the columns path and label")
	} else if err != nil {
		return nil, nil, atLine(err)
	}
	return in, slices.Clone(header), nil
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
	_, header, err := readHeader(f, comma)
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

// columns finds the columns that are read in a header, in any order and any case.
func columns(header []string, labelled bool, further []string) (at map[string]int, err error) {
	read, required := []string{pathColumn}, []string{pathColumn}
	if labelled {
		read = append(read, labelColumn, splitColumn, weightColumn, groupColumn, foldColumn)
		required = append(required, labelColumn)
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
	for _, name := range required {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("line 1: names no column %s; it has %s", name, quoted(header))
		}
	}
	return at, nil
}

func parseRow(fields []string, at map[string]int, further []string) (r row, err error) {
	get := func(column string) string {
		if i, ok := at[column]; ok {
			return strings.TrimSpace(fields[i])
		}
		return ""
	}
	r = row{path: fields[at[pathColumn]], label: get(labelColumn), group: get(groupColumn), fold: get(foldColumn), weight: 1}
	if r.path == "" {
		return r, errors.New("path is empty")
	}
	if _, labelled := at[labelColumn]; labelled && r.label == "" {
		return r, errors.New("label is empty")
	}
	if strings.ContainsAny(r.label, "\r\n") {
		return r, fmt.Errorf("label %q is more than one line", r.label)
	}
	if text := get(splitColumn); text != "" {
		if r.part, r.split = partNamed(text); !r.split {
			return r, fmt.Errorf("split %q is none of train, val, test", text)
		}
	}
	if text := get(weightColumn); text != "" {
		w, err := strconv.ParseFloat(text, 32)
		if err != nil || !(w >= 0) || math.IsInf(w, 0) {
			return r, fmt.Errorf("weight %q is no number of 0 or more", text)
		}
		r.weight = float32(w)
	}
	for _, name := range further {
		r.values = append(r.values, get(columnName(name)))
	}
	return r, nil
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
