package dataset

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/csvrows"
	"tftl/internal/regular"
)

// row is a line of a manifest.
type row struct {
	line   int
	path   string // as written; the other fields have the space around them trimmed
	label  string
	part   part
	split  bool // whether part is given
	weight float32
	listed // values are by manifest.values
}

// manifest is what a manifest's file says.
type manifest struct {
	comma   rune
	columns []string // other than path and label, as the first line spells them
	values  []string // the columns that row.values has: those that the options ask for
	rows    []row
}

// manifests is the kind of tables whose first line names the columns path and
// label, and optionally split, weight, group, fold and others. If the first line
// uses other separators than the file's name implies, those count. Paths are
// absolute or relative to the manifest's folder, with forward slashes. Space
// around a field is trimmed unless a file's name has it.
func manifests() source {
	return source{
		Kind: Kind{
			Name:    "manifest",
			Usage:   "a manifest (.csv or .tsv) with the columns path and label",
			Example: "photos.csv",
			Files:   true,
		},
		recognizes: func(at location) (bool, error) {
			_, ok := manifestComma(at.path)
			return ok && at.mode == 0 && !at.pattern, nil
		},
		list:       listManifest,
		unlabelled: listUnlabelledManifest,
	}
}

func listManifest(at location, options Options) (listing, error) {
	m, err := openManifest(at.path, true, options)
	if err != nil {
		return listing{}, err
	}
	l := listing{root: at.path, what: "CSV manifest", columns: m.columns, values: m.values}
	comma, _ := manifestComma(at.path)
	if comma == '\t' {
		l.what = "TSV manifest"
	}
	l.what += separatedBy(m.comma, comma)
	if options.Fold != nil {
		if l.folds, err = holdOut(m.rows, *options.Fold); err != nil {
			return listing{}, fmt.Errorf("%s: %w", at.path, err)
		}
		l.what += fmt.Sprintf(", fold %d of %d held out as test", *options.Fold, l.folds)
	}
	folder, err := newManifestFolder(at.path, options.AllowOutside)
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
			id: id, class: r.label, key: id, weight: r.weight, listed: r.listed, stored: file{name: full},
		})
		if r.group != "" {
			in := partsOf[r.group]
			in[r.part] = true
			partsOf[r.group] = in
		}
		l.ownParts = l.ownParts || r.split
	}
	if l.ownParts && options.Fold == nil {
		l.what += " with its own parts"
	}
	if len(unread) > 0 {
		l.warn("the manifest lists images in unsupported formats: %s", unread.unreadable())
	}
	var torn []string
	for group, in := range partsOf {
		if in[train] && (in[validation] || in[test]) || in[validation] && in[test] {
			torn = append(torn, group)
		}
	}
	if slices.Sort(torn); len(torn) > 0 {
		l.warn("groups that are in several parts: %s", quoted(torn))
	}
	return l, nil
}

// listUnlabelledManifest lists the images of the path column.
func listUnlabelledManifest(at location, options Options, to *unlabelled) error {
	m, err := openManifest(at.path, false, Options{})
	if err != nil {
		return to.add(at.path, nil, err)
	}
	folder, err := newManifestFolder(at.path, options.AllowOutside)
	if err != nil {
		return to.add(at.path, nil, err)
	}
	folder.rows = nil // an image may be named twice
	for _, r := range m.rows {
		_, image, err := folder.find(r)
		if err != nil {
			image = r.path
		}
		if err := to.add(image, file{name: image}.read, err); err != nil {
			return err
		}
	}
	return nil
}

func openManifest(name string, labelled bool, options Options) (manifest, error) {
	f, err := regular.Open(name)
	if err != nil {
		return manifest{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxManifest {
		return manifest{}, fmt.Errorf("%s: has %d bytes, more than the limit of %d", name, info.Size(), maxManifest)
	}
	comma, _ := manifestComma(name)
	m, err := readManifest(f, comma, labelled, options)
	if err != nil {
		return manifest{}, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// readManifest reads the lines and checks each by itself. An error names the
// line. If labels are not needed, only the paths and the columns that the
// options ask for are read.
func readManifest(r io.Reader, comma rune, labelled bool, options Options) (m manifest, err error) {
	in, header, err := readHeader(r, comma, requiredColumns(labelled))
	if err != nil {
		return manifest{}, err
	}
	m.comma, m.values = in.Comma, options.Columns
	if options.AllColumns {
		m.values = ownColumns(header)
	}
	at, err := columns(header, labelled, m.values)
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
		r, err := parseRow(fields, at, m.values)
		if err != nil {
			return manifest{}, fmt.Errorf("line %d: %w", line, err)
		}
		if r.line = line; len(m.rows) == maxRows {
			return manifest{}, fmt.Errorf("line %d: has more images than the limit of %d", line, maxRows)
		}
		if !r.split && unsplit == 0 {
			unsplit = line
		}
		if len(m.rows) > 0 && r.split != m.rows[0].split {
			return manifest{}, fmt.Errorf("line %d: split is empty, but not on other lines", unsplit)
		}
		m.rows = append(m.rows, r)
	}
	if len(m.rows) == 0 {
		return manifest{}, errors.New("has no images, only the line that names the columns")
	}
	return m, nil
}

func parseRow(fields []string, at map[string]int, values []string) (r row, err error) {
	get := func(column string) string {
		if i, ok := at[column]; ok {
			return csvrows.Plain(strings.TrimSpace(fields[i]))
		}
		return ""
	}
	r = row{path: fields[at[pathColumn]], label: get(labelColumn), weight: 1, listed: listed{group: get(groupColumn), fold: get(foldColumn)}}
	if strings.TrimSpace(r.path) == "" {
		return r, errors.New("path is empty")
	}
	if _, labelled := at[labelColumn]; labelled && r.label == "" {
		return r, errors.New("label is empty")
	}
	if strings.ContainsAny(r.label, "\r\n") {
		return r, fmt.Errorf("label %q has a line break", r.label)
	}
	if text := get(splitColumn); text != "" {
		if r.part, r.split = partNamed(text); !r.split {
			return r, fmt.Errorf("split %q is not train, val or test", text)
		}
	}
	if text := get(weightColumn); text != "" {
		w, err := strconv.ParseFloat(text, 32)
		if err != nil || !(w >= 0) || math.IsInf(w, 0) {
			return r, fmt.Errorf("weight %q is not a number of 0 or more", text)
		}
		r.weight = float32(w)
	}
	for _, name := range values {
		r.values = append(r.values, get(columnName(name)))
	}
	return r, nil
}
