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

// The columns of a manifest. It may have others, which are passed over; fold is
// passed over, too, unless a fold is held out.
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
}

// listManifest lists a table of images: path and label, and where it has the
// columns split, weight and group. A path is one from the manifest's folder.
func listManifest(name string, comma rune, options Options) (listing, error) {
	f, err := os.Open(name)
	if err != nil {
		return listing{}, pipeline.Errorf(pipeline.BadData, "%w", err)
	}
	defer f.Close()
	rows, err := readManifest(f, comma)
	if err != nil {
		return listing{}, pipeline.Errorf(pipeline.BadData, "%s: %w", name, err)
	}
	l := listing{root: name, what: "CSV manifest"}
	if comma == '\t' {
		l.what = "TSV manifest"
	}
	if options.Fold != nil {
		if l.folds, err = holdOut(rows, *options.Fold); err != nil {
			return listing{}, fmt.Errorf("%s: %w", name, err)
		}
		l.what += fmt.Sprintf(", fold %d of %d held out as test", *options.Fold, l.folds)
	}
	seen := map[string]int{} // line by file
	partsOf := map[string][3]bool{}
	for _, r := range rows {
		bad := func(format string, args ...any) (listing, error) {
			return listing{}, pipeline.Errorf(pipeline.BadData, "%s: line %d: "+format, append([]any{name, r.line}, args...)...)
		}
		local := filepath.FromSlash(r.path)
		if !options.AllowOutside && !filepath.IsLocal(local) {
			_, err := bad("%s lies outside the manifest's folder", r.path)
			return listing{}, pipeline.WithHint(err, "--allow-outside lets a manifest name any file")
		}
		full := filepath.Clean(local)
		if !filepath.IsAbs(local) {
			full = filepath.Join(filepath.Dir(name), local)
		}
		if first, twice := seen[full]; twice {
			return bad("%s is on line %d already", r.path, first)
		}
		seen[full] = r.line
		if info, err := os.Stat(full); err != nil {
			return bad("%w", err)
		} else if !info.Mode().IsRegular() {
			return bad("%s is no file", full)
		}
		id := path.Clean(filepath.ToSlash(local))
		l.parts[r.part] = append(l.parts[r.part], item{id: id, class: r.label, key: id, weight: r.weight, group: r.group, stored: file(full)})
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

// readManifest reads the lines and checks what a line can be checked for by
// itself. An error names the line.
func readManifest(r io.Reader, comma rune) ([]row, error) {
	buffered := bufio.NewReader(r)
	switch head, _ := buffered.Peek(3); { // a short file has no mark
	case len(head) >= 2 && (string(head[:2]) == "\xff\xfe" || string(head[:2]) == "\xfe\xff"):
		return nil, errors.New("is UTF-16: save it as UTF-8")
	case string(head) == "\ufeff":
		_, _ = buffered.Discard(len(head)) // it was peeked at
	}
	in := csv.NewReader(buffered)
	in.Comma, in.ReuseRecord = comma, true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("is empty: its first line is to name the columns path and label")
	} else if err != nil {
		return nil, atLine(err)
	}
	at, err := columns(header)
	if err != nil {
		return nil, err
	}
	var rows []row
	unsplit := 0 // the first line without a part
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, atLine(err)
		}
		line, _ := in.FieldPos(0)
		r, err := parseRow(fields, at)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		r.line = line
		if !r.split && unsplit == 0 {
			unsplit = line
		}
		if len(rows) > 0 && r.split != rows[0].split {
			return nil, fmt.Errorf("line %d: split is empty, and not on other lines", unsplit)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, errors.New("has no images: there is only the line that names the columns")
	}
	return rows, nil
}

// columns finds the known columns of a header, in any order and any case.
func columns(header []string) (at map[string]int, err error) {
	at = map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		switch name {
		case pathColumn, labelColumn, splitColumn, weightColumn, groupColumn, foldColumn:
			if _, twice := at[name]; twice {
				return nil, fmt.Errorf("line 1: column %s is there twice", name)
			}
			at[name] = i
		}
	}
	for _, name := range []string{pathColumn, labelColumn} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("line 1: names no column %s; it has %s", name, quoted(header))
		}
	}
	return at, nil
}

func parseRow(fields []string, at map[string]int) (r row, err error) {
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
	if r.label == "" {
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
