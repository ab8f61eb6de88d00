package dataset

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// row is a line of a manifest.
type row struct {
	line   int
	path   string // as it is written; the other fields are without the space around them
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
	comma   rune
	columns []string // but for path and label, as the first line writes them
	rows    []row
}

// listManifest lists a table of images: path and label, and where it has the
// columns split, weight and group. A path is one from the manifest's folder, or
// an absolute one.
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
	l.what += separatedBy(m.comma, comma)
	if options.Fold != nil {
		if l.folds, err = holdOut(m.rows, *options.Fold); err != nil {
			return listing{}, fmt.Errorf("%s: %w", name, err)
		}
		l.what += fmt.Sprintf(", fold %d of %d held out as test", *options.Fold, l.folds)
	}
	folder, err := newManifestFolder(name, options.AllowOutside)
	if err != nil {
		return listing{}, err
	}
	partsOf, unread := map[string][3]bool{}, Endings{}
	for _, r := range m.rows {
		id, full, err := folder.find(r)
		if err != nil {
			return listing{}, err
		}
		if unreadFormat(full) {
			if image, err := imageContent(full); err == nil && !image {
				unread.see(full)
			}
		}
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
	if len(unread) > 0 {
		l.warn("images are listed whose format is not read: %s", unread.unreadable())
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
// itself. An error names the line. Of one that need not be labelled the paths
// alone are read, and the further columns.
func readManifest(r io.Reader, comma rune, labelled bool, further []string) (m manifest, err error) {
	in, header, err := readHeader(r, comma, requiredColumns(labelled))
	if err != nil {
		return manifest{}, err
	}
	m.comma = in.Comma
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

func parseRow(fields []string, at map[string]int, further []string) (r row, err error) {
	get := func(column string) string {
		if i, ok := at[column]; ok {
			return strings.TrimSpace(fields[i])
		}
		return ""
	}
	r = row{path: fields[at[pathColumn]], label: get(labelColumn), group: get(groupColumn), fold: get(foldColumn), weight: 1}
	if strings.TrimSpace(r.path) == "" {
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
