package report

import (
	"fmt"
	"html/template"
	"io"
)

// HTML writes the summary as one page in the folder of the runs, with links to
// their reports.
func (b Batch) HTML(w io.Writer) error {
	p := batchPage{Name: display(b.Name), Subtitle: b.subtitle(), RankedBy: b.Ranking.By, Test: b.Ranking.Test}
	for _, r := range b.rows() {
		line := batchLine{Rank: r.cells()[0], Name: r.title(), Validation: withInterval(r.Validation), Gates: r.gates(), State: stateOf(r.runs), Failed: r.failed()}
		for _, m := range r.Test {
			line.Test = append(line.Test, withInterval(m))
		}
		for _, run := range r.runs {
			link := batchLink{Text: shorten(run.Name, nameRunes)}
			if run.Report != nil {
				link.Report = run.Folder + "/report.html"
			}
			if r.Folds == 0 {
				line.Report = link.Report
			} else {
				line.Folds = append(line.Folds, link)
			}
		}
		p.Lines = append(p.Lines, line)
	}
	for _, line := range b.problems() {
		p.Problems = append(p.Problems, display(line))
	}
	return execute(w, "batch.tmpl", p)
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
	RankedBy string
	Test     []string
	Lines    []batchLine
	Problems []string
}

type batchLine struct {
	Rank, Name, Validation string
	Test                   []string
	Gates, State           string
	Failed                 bool
	Report                 string      // link; of a run without folds
	Folds                  []batchLink // of a run with folds
}

// batchLink is a fold and the link to its report.
type batchLink struct{ Text, Report string }
