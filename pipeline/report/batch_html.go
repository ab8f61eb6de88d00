package report

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"path"
	"strings"
)

// HTML writes the summary as one page in the folder of the runs, with links to
// their reports.
func (b Batch) HTML(w io.Writer) error {
	p := batchPage{Name: display(b.Name), Subtitle: b.subtitle(), Legend: b.legend(), RankedBy: b.Ranking.By, Test: b.Ranking.Test}
	for _, r := range b.rows() {
		line := batchLine{Rank: r.cells()[0], Name: r.title(), Validation: withInterval(r.Validation), Gates: r.gates(), State: stateOf(r.runs), Failed: r.failed()}
		for _, m := range r.Test {
			line.Test = append(line.Test, withInterval(m))
		}
		for _, run := range r.runs {
			link := batchLink{Text: within(run, r), Validation: decimals(run.Validation(b.Ranking.By))}
			if run.Report != nil {
				link.Report = run.Folder + "/report.html"
			}
			if r.Folds+r.Seeds == 0 {
				line.Report = link.Report
			} else {
				line.Runs = append(line.Runs, link)
			}
		}
		p.Lines = append(p.Lines, line)
	}
	for _, line := range b.problems() {
		p.Problems = append(p.Problems, display(line))
	}
	most := min(len(p.Problems), mostProblems)
	p.Problems, p.MoreProblems = p.Problems[:most], p.Problems[most:]
	for i, v := range b.Varied {
		d, err := b.drawVaried(i, v)
		if err != nil {
			return err
		}
		if d.SVG != "" {
			p.Drawings = append(p.Drawings, d)
		}
	}
	return execute(w, "batch.tmpl", p)
}

// mostProblems is how many failures are shown at once.
const mostProblems = 5

// within is the name of a run in a row with several: its seed and its fold.
func within(run BatchRun, r batchRow) string {
	var parts []string
	if r.Seeds > 0 {
		parts = append(parts, "seed "+cmp.Or(run.Seed, "default"))
	}
	if r.Folds > 0 {
		parts = append(parts, strings.ReplaceAll(path.Base(run.Name), "-", " "))
	}
	return shorten(strings.Join(parts, ", "), nameRunes)
}

// subtitle counts the runs by state.
func (b Batch) subtitle() string {
	return count(len(b.Runs), "run") + ": " + stateOf(b.Runs)
}

// execute fills in a template.
func execute(w io.Writer, name string, page any) error {
	pages, err := template.New(name).ParseFS(files, "*.tmpl", "style.css")
	if err != nil {
		return err
	}
	if err := pages.Execute(w, page); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

type batchPage struct {
	Name     string
	Subtitle string
	Legend   string
	RankedBy string
	Test     []string
	Drawings []drawing // one per option that varies
	Lines    []batchLine
	Problems []string
	// MoreProblems are those that would push the rest down.
	MoreProblems []string
}

type batchLine struct {
	Rank, Name, Validation string
	Test                   []string
	Gates, State           string
	Failed                 bool
	Report                 string      // link; of a row with a single run
	Runs                   []batchLink // of other rows
}

// batchLink is a run of a row with several, and the link to its report.
type batchLink struct{ Text, Validation, Report string }
