package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"tftl/internal/atomicfile"
	"tftl/internal/csvrows"
	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/audit"
	"tftl/pipeline/audit/findings"
	"tftl/pipeline/report"
	"tftl/pipeline/workflow"
)

// The files of an audit.
const (
	tableFile         = "audit.csv"
	probabilitiesFile = "probabilities.csv"
	pageFile          = "audit.html"
	sarifFile         = "audit.sarif"
	summaryFile       = "summary.json"
)

func files() []string {
	return []string{tableFile, probabilitiesFile, pageFile, sarifFile, summaryFile}
}

// Writes reports whether an audit writes a file of that name into its folder.
func Writes(name string) bool { return slices.Contains(files(), name) }

// Page is the path of the page in the folder of an audit.
func Page(output string) string { return filepath.Join(output, pageFile) }

// isAudit reports whether a folder has an audit.
func isAudit(folder string) bool {
	return !slices.ContainsFunc(files(), func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err != nil
	})
}

// free returns an error if an audit may not be written into a folder.
func free(folder string, overwrite bool) error {
	option := pipeline.Option("output")
	if err := atomicfile.RecoverDirBut(folder, keepOthers(folder)); err != nil {
		return err
	}
	if info, err := os.Lstat(filepath.Clean(folder)); err == nil && !info.IsDir() {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %s: exists and is not a folder", option, folder)
		return pipeline.WithHint(err, "a new folder takes the place of the old one, so it cannot be a link either")
	}
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return parent(folder)
	case err != nil:
		return pipeline.Errorf(pipeline.BadUsage, "%s: %w", option, err)
	case len(entries) == 0:
		return nil
	case !isAudit(folder):
		return pipeline.Errorf(pipeline.BadUsage, "%s %s: exists, is not empty, and is not an audit", option, folder)
	case !overwrite:
		err := pipeline.Errorf(pipeline.BadUsage, "%s %s: there is an audit already", option, folder)
		return pipeline.WithHint(err, "%s replaces it", pipeline.Option("overwrite"))
	}
	return nil
}

// parent makes the folder that a new folder is in.
func parent(folder string) error {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(folder)), 0o777); err != nil {
		return pipeline.Errorf(pipeline.BadUsage, "%s: %w", pipeline.Option("output"), err)
	}
	return nil
}

// keepOthers removes the old folder of an audit, after the files that tftl did not write
// have moved into the new one.
func keepOthers(folder string) func(old string) error {
	return func(old string) error {
		entries, err := os.ReadDir(old)
		for _, e := range entries {
			if !Writes(e.Name()) {
				err = errors.Join(err, os.Rename(filepath.Join(old, e.Name()), filepath.Join(folder, e.Name())))
			}
		}
		if err != nil {
			return err // without removing anything
		}
		return os.RemoveAll(old)
	}
}

// Painter makes small pictures of images.
type Painter interface {
	// Thumbnail returns a small JPEG of an image.
	Thumbnail(ctx context.Context, encoded []byte, sample pipeline.Sample) ([]byte, error)
}

// Write writes the audit into its folder: all files or none. places are the folders that
// names of images are relative to, as the user calls them.
func (r *Result) Write(ctx context.Context, output string, places report.Places, painter Painter, env workflow.Env) error {
	a := r.Report()
	pictures, err := r.paint(ctx, a.Wanted(), painter, env)
	if err != nil {
		return err
	}
	return atomicfile.ReplaceDirBut(output, func(tmp string) error {
		for name, write := range map[string]func(io.Writer) error{
			tableFile:         func(w io.Writer) error { return findings.WriteTable(w, r.Rows) },
			probabilitiesFile: r.writeProbabilities,
			pageFile:          func(w io.Writer) error { return a.HTML(w, pictures) },
			sarifFile:         func(w io.Writer) error { return a.SARIF(w, places) },
			summaryFile:       r.writeSummary,
		} {
			if err := atomicfile.Write(filepath.Join(tmp, name), write); err != nil {
				return err
			}
		}
		return nil
	}, keepOthers(output))
}

// Report is the audit for people.
func (r *Result) Report() report.Audit {
	a := report.Audit{Summary: r.Summary, Rows: r.Rows, Examples: r.examples(), Parts: map[string]string{}, Labels: map[string]string{}}
	for i := range r.Images.Len() {
		s := r.Images.Sample(i)
		a.Parts[s.ID], a.Labels[s.ID] = r.Parts[i], r.Classes[s.Label]
	}
	return a
}

// mostExamples is how many examples a class has.
const mostExamples = 4

// examples are the images of each class that are most certainly of it, without those
// that something was found of.
func (r *Result) examples() map[string][]string {
	odd := map[string]bool{}
	for _, row := range r.Rows {
		odd[row.Image] = true
	}
	type example struct {
		image string
		p     float32
	}
	best := make([][]example, len(r.Classes))
	for _, p := range r.Predictions {
		if p.Probabilities == nil || odd[p.Sample.ID] {
			continue
		}
		label := p.Sample.Label
		e := example{p.Sample.ID, p.Probabilities[label]}
		list := best[label]
		at := slices.IndexFunc(list, func(o example) bool { return e.p > o.p })
		if at < 0 {
			at = len(list)
		}
		list = slices.Insert(list, at, e)
		best[label] = list[:min(len(list), mostExamples)]
	}
	examples := map[string][]string{}
	for label, list := range best {
		for _, e := range list {
			examples[r.Classes[label]] = append(examples[r.Classes[label]], e.image)
		}
	}
	return examples
}

// paint makes pictures of images. Those that cannot be decoded have none.
func (r *Result) paint(ctx context.Context, names []string, painter Painter, env workflow.Env) ([][]byte, error) {
	at := map[string]int{}
	for i := range r.Images.Len() {
		at[r.Images.Sample(i).ID] = i
	}
	pictures := make([][]byte, len(names))
	for k, name := range names {
		env.Progress(pipeline.Event{Phase: "illustrate", Done: k, Total: len(names)})
		i, ok := at[name]
		if !ok {
			continue
		}
		encoded, err := r.Images.Bytes(i)
		if err == nil {
			pictures[k], err = painter.Thumbnail(ctx, encoded, r.Images.Sample(i))
		}
		if err != nil && pipeline.KindOf(err) != pipeline.BadData {
			return nil, err
		}
	}
	return pictures, ctx.Err()
}

// writeProbabilities writes the out-of-fold probabilities of each image. An image that
// could not be judged has none.
func (r *Result) writeProbabilities(w io.Writer) error {
	out := csv.NewWriter(w)
	row := []string{"image", "label"}
	for _, class := range r.Classes {
		row = append(row, csvrows.Inert(class))
	}
	_ = out.Write(row) // Error returns it
	for i, p := range r.Predictions {
		s := r.Images.Sample(i)
		row[0], row[1] = csvrows.Inert(s.ID), csvrows.Inert(r.Classes[s.Label])
		for class := range r.Classes {
			row[2+class] = ""
			if p.Probabilities != nil {
				row[2+class] = strconv.FormatFloat(float64(p.Probabilities[class]), 'g', -1, 32)
			}
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

func (r *Result) writeSummary(w io.Writer) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.Summary); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(text.Bytes()))
	return err
}

// Findings are those in Rows.
func (r *Result) Findings() (found []audit.Finding) {
	for _, row := range r.Rows {
		found = append(found, row.Finding)
	}
	return found
}
