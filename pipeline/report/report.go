// Package report renders results for people and CI: a run's folder as
// report.html (one file without scripts that needs no network) and report.md (a
// short version for the page of a CI job), evaluations, comparisons and batches
// as tables and pages, gates as JUnit, and progress as lines.
//
// It reads what fit and evaluate left in the folder. It runs no model, reads no
// data set and computes no metric: that is package metrics. The same folder gives
// the same pages, byte for byte. Names of classes and files come from other
// people and are never treated as markup.
package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"slices"

	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

//go:embed *.tmpl style.css audit.js
var files embed.FS

// HTML writes a run's report as one page that opens without a network. The page
// of a run that has not been evaluated says so.
func HTML(w io.Writer, run rundir.Dir) error {
	c, err := read(run, nil)
	if err != nil {
		return err
	}
	return writePage(w, c)
}

// Render writes both forms of a run's report: HTML to page and Markdown to brief.
// It reads the run's predictions unless they are given.
func Render(page, brief io.Writer, run rundir.Dir, predictions *metrics.Table) error {
	c, err := read(run, predictions)
	if err != nil {
		return err
	}
	if err := writePage(page, c); err != nil {
		return err
	}
	return writeBrief(brief, c)
}

func writePage(w io.Writer, c contents) error {
	p, err := newPage(c)
	if err != nil {
		return err
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	p.Style = template.CSS(style)
	pages, err := template.New("page.tmpl").ParseFS(files, "*.tmpl")
	if err != nil {
		return err
	}
	if err := pages.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// page is the data of page.tmpl.
type page struct {
	Style    template.CSS
	Name     string
	Subtitle string
	Summary  summary

	Training   *training   // nil before the first epoch
	Evaluation *evaluation // nil before evaluate
	Evaluate   string      // the command to evaluate the run
	Unfinished string      // how far training got; empty if it has ended

	Data    []fact
	Parts   grid
	Model   []fact
	Machine []fact
	Timing  grid
	Config  string

	Predictions string // name of the file; empty if none were kept
}

// summary is for a reader who has ten seconds.
type summary struct {
	Headline []measured
	Warnings []string
	Decision string
	Verdict  string // on the gates; empty: there are none
	Missed   bool   // a gate failed
	Gates    grid
}

// evaluation is the result of evaluate.
type evaluation struct {
	Samples     int
	Metrics     grid
	Confusion   confusion
	Pairs       []pair
	MorePairs   int
	Classes     []classRow
	OtherTitles []string // of classRow.Others
	Slices      []grid
	Curves      []drawing
	CurvesNote  string // why there are no curves
	Galleries   []gallery
	GalleryNote string // why there are no pictures
	Heat        bool   // a picture has an overlay
}

// gallery is one list of pictures.
type gallery struct {
	ID, Title, Note string
	Pictures        []shownPicture
}

// shownPicture is a picture in the page.
type shownPicture struct {
	Picture                             Picture
	Anchor                              string // in the page
	Name, Label, Predicted, Probability string
	Right                               bool
	Thumb, Overlay                      template.URL
	Width, Height                       int // of the thumb
}

func newPage(c contents) (p page, err error) {
	p = page{
		Name: display(c.name), Subtitle: subtitle(c, display), Evaluate: "tftl evaluate " + display(c.run.Path), Unfinished: c.unfinished,
		Data: dataFacts(c), Parts: partsGrid(c), Model: modelFacts(c), Machine: machineFacts(c.config),
		Timing: timingGrid(c.timing), Config: c.raw,
	}
	if p.Training, err = newTraining(c); err != nil {
		return p, err
	}
	if c.evaluation == nil {
		return p, nil
	}
	p.Summary = summary{Headline: headline(*c.evaluation, c.parts[0]), Decision: decide(c.evaluation.Decision, c.classes, display)}
	if gates := c.evaluation.Gates; len(gates) > 0 {
		p.Summary.Gates, p.Summary.Verdict, p.Summary.Missed = gatesGrid(gates)
	}
	for _, warning := range c.evaluation.Warnings {
		p.Summary.Warnings = append(p.Summary.Warnings, display(warning))
	}
	if c.table != nil {
		p.Predictions = filepath.Base(c.run.PredictionsPath())
	}
	p.Evaluation, err = newEvaluation(c)
	return p, err
}

// subtitle describes the run in one line. mark formats a class name.
func subtitle(c contents, mark func(string) string) string {
	text := fmt.Sprintf("%s, %s", c.config.Model.Backbone, classNames(c.classes, mark))
	if c.evaluation != nil {
		return text + fmt.Sprintf(", evaluated on %s of the test part", count(c.evaluation.Samples, "image"))
	}
	return text + ", not evaluated yet"
}

func classNames(classes []string, mark func(string) string) string {
	if len(classes) > 5 {
		return count(len(classes), "class")
	}
	var names []string
	for _, class := range classes {
		names = append(names, mark(shorten(class, nameRunes/2)))
	}
	return list(names)
}

func newEvaluation(c contents) (*evaluation, error) {
	r := *c.evaluation
	e := &evaluation{Samples: r.Samples, Metrics: overallGrid(r), Confusion: newConfusion(r), Classes: classRows(r), OtherTitles: otherTitles(r), Slices: sliceGrids(r.Slices)}
	if err := e.draw(c); err != nil {
		return nil, err
	}
	if c.gallery == nil {
		e.GalleryNote = "There are no pictures of these predictions. Run: tftl evaluate " + display(c.run.Path)
		e.Pairs, e.MorePairs = pairs(c, nil)
		return e, nil
	}
	mistakes, err := e.gallery(c, "mistake", c.gallery.Mistakes)
	if err != nil {
		return nil, err
	}
	uncertain, err := e.gallery(c, "uncertain", c.gallery.Uncertain)
	if err != nil {
		return nil, err
	}
	least := "Least certain"
	if r.Decision.Abstains() {
		least = "Nearest to the confidence that gets an answer"
	}
	e.Galleries = []gallery{
		{"mistakes", "Most confident mistakes", "No image was misclassified.", mistakes},
		{"uncertain", least, "There are no images to show.", uncertain},
	}
	e.Pairs, e.MorePairs = pairs(c, slices.Concat(mistakes, uncertain))
	return e, nil
}

// draw draws what takes the probabilities of all classes.
func (e *evaluation) draw(c contents) error {
	if c.table == nil || c.table.Top > 0 {
		e.CurvesNote = "There are no curves: the evaluation kept no probabilities of all classes. To have them, run: tftl evaluate " + display(c.run.Path)
		return nil
	}
	predictions := c.table.Calibrate(c.evaluation.Decision)
	curves := metrics.NewCurves(predictions)
	roc, err := drawROC(curves, c.table.Classes)
	if err != nil {
		return err
	}
	recall, err := drawPrecisionRecall(curves, c.table.Classes)
	if err != nil {
		return err
	}
	reliability, err := drawReliability(predictions)
	if err != nil {
		return err
	}
	risk, err := drawRisk(*c.table, *c.evaluation)
	e.Curves = []drawing{roc, recall, reliability, risk}
	return err
}

// gallery embeds pictures in the page.
func (e *evaluation) gallery(c contents, list string, pictures []Picture) ([]shownPicture, error) {
	var shown []shownPicture
	for i, p := range pictures {
		s := shownPicture{
			Picture: p, Anchor: fmt.Sprintf("%s-%d", list, i+1),
			Name: display(p.ID), Label: shorten(p.Label, nameRunes), Predicted: shorten(p.Predicted, nameRunes),
			Probability: fixed(p.Probability, 3), Right: p.Label == p.Predicted,
		}
		var err error
		if s.Thumb, s.Width, s.Height, err = inline(c.run, p.Thumb); err != nil {
			return nil, err
		}
		if p.Overlay != "" {
			if s.Overlay, _, _, err = inline(c.run, p.Overlay); err != nil {
				return nil, err
			}
			e.Heat = true
		}
		shown = append(shown, s)
	}
	return shown, nil
}
