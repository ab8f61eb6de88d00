package evaluate

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// What has no room is read again.
const (
	// MostHeld is how many bytes of a part are kept for its pictures while it is
	// measured.
	MostHeld   = 64 << 20
	mostChosen = 256 << 20 // while pictures and heat maps are made
)

// Painter paints images for a report.
type Painter interface {
	// Thumbnail returns a small JPEG of an image.
	Thumbnail(ctx context.Context, encoded []byte, sample pipeline.Sample) ([]byte, error)
	// Overlays paints the heat map of each image for its class, as a PNG, and calls
	// found with them in order. It does nothing if the network cannot explain.
	Overlays(ctx context.Context, images pipeline.Encoded, classes []int, found func(k int, overlay []byte) error) error
}

// Stored reads the last evaluation from a run's folder, for Illustrate.
func Stored(ctx context.Context, r Request, env workflow.Env) (*Result, error) {
	run, err := rundir.Dir{Path: r.Model}.Hold()
	if err != nil {
		return nil, err
	}
	table, decision, err := ReadPredictions(run.Path)
	if err != nil {
		return nil, err
	}
	if table, err = table.Decide(decision); err != nil {
		return nil, err
	}
	result := &Result{Table: table, run: run, request: r, env: env, kept: true}
	result.Report.Decision = decision
	if err := result.Find(ctx); err != nil {
		return nil, err
	}
	result.digest, err = run.PredictionsDigest()
	return result, err
}

// Find finds the images of a result that has none: one that was stored or merged.
func (r *Result) Find(ctx context.Context) error {
	m := &measurement{Request: r.request, env: r.env, digests: r.env.Digests()}
	data, err := m.open(ctx)
	if err != nil {
		return err
	}
	set, err := data.set.Relabel(r.Table.Classes, false)
	if err != nil {
		return err
	}
	measured := map[string]bool{} // skipped images are not in the table
	for _, p := range r.Table.Predictions {
		measured[p.Sample.ID] = true
	}
	r.Images = set.Test.Keep(func(i int) bool { return measured[set.Test.Sample(i).ID] })
	if n := len(r.Table.Predictions); r.Images.Len() != n {
		return pipeline.Errorf(pipeline.BadData, "the data has %d of the %d images that were measured", r.Images.Len(), n)
	}
	once := r.env.ReadOnce
	if once == nil {
		once = workflow.NewReadOnce(MostHeld)
	}
	r.images = once.Images(r.Images)
	return nil
}

// Illustrate replaces the pictures of mistakes and uncertain images in the run's
// folder, unless it has those of the same predictions, and the report that shows
// them. It does nothing if the result was not kept, or if another evaluation has
// been kept since.
func (r *Result) Illustrate(ctx context.Context, p Painter) error {
	return r.ifCurrent(ctx, func(run rundir.Dir) error { return r.illustrate(ctx, run, p) })
}

func (r *Result) illustrate(ctx context.Context, run rundir.Dir, p Painter) error {
	if has, err := report.HasGallery(run); err != nil || !has {
		if err := r.replaceGallery(ctx, run, p); err != nil {
			return err
		}
	}
	if err := r.describe(run); err != nil {
		return err
	}
	r.env.Say("report: %s", run.ReportPage())
	return nil
}

func (r *Result) replaceGallery(ctx context.Context, run rundir.Dir, p Painter) error {
	mistakes, uncertain := r.Table.Choose(r.Report.Decision)
	r.env.Progress(pipeline.Event{Phase: "illustrate"})
	return run.ReplaceGallery(func(dir string) error {
		pictures, err := r.paint(ctx, dir, union(mistakes, uncertain), p)
		if err != nil {
			return err
		}
		g := report.Gallery{Predictions: r.digest, Mistakes: []report.Picture{}, Uncertain: []report.Picture{}}
		for _, i := range mistakes {
			g.Mistakes = append(g.Mistakes, *pictures[i])
		}
		for _, i := range uncertain {
			g.Uncertain = append(g.Uncertain, *pictures[i])
		}
		return report.WriteGallery(dir, g)
	})
}

// Describe writes the run's report without pictures. Like Illustrate, it does
// nothing if the measurement is not kept, or another one is by now.
func (r *Result) Describe(ctx context.Context) error { return r.ifCurrent(ctx, r.describe) }

// describe writes the run's report. It does not read predictions again that are
// in memory.
func (r *Result) describe(run rundir.Dir) error {
	if r.request.Predictions.Full() {
		return writeReport(run, &r.Table)
	}
	return writeReport(run, nil)
}

// ifCurrent calls do with the run's folder locked, if the result was kept and no
// other evaluation has been kept since.
func (r *Result) ifCurrent(ctx context.Context, do func(rundir.Dir) error) error {
	if !r.kept {
		return nil
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	run := r.run.Dir
	if now, err := run.PredictionsDigest(); err != nil || now != r.digest {
		return err
	}
	return do(run)
}

// union returns a, followed by what only b has.
func union(a, b []int) []int {
	seen, all := map[int]bool{}, []int(nil)
	for _, list := range [][]int{a, b} {
		for _, i := range list {
			if !seen[i] {
				seen[i] = true
				all = append(all, i)
			}
		}
	}
	return all
}

// paint writes the pictures of the indexed images into a folder, and returns
// their descriptions by index.
func (r *Result) paint(ctx context.Context, dir string, index []int, painter Painter) (map[int]*report.Picture, error) {
	pictures, classes := map[int]*report.Picture{}, make([]int, len(index))
	images := workflow.NewReadOnce(mostChosen).Images(chosen{r.images, index})
	for k, i := range index {
		p, d := r.Table.Predictions[i], r.Report.Decision
		classes[k] = d.Class(p.Probabilities)
		pictures[i] = &report.Picture{
			ID: p.Sample.ID, Label: r.Table.Classes[p.Sample.Label], Predicted: r.Table.Classes[classes[k]],
			Probability: float64(p.Probabilities[classes[k]]), Thumb: rundir.ThumbName(k + 1),
		}
		encoded, err := images.Bytes(k)
		if err != nil {
			return nil, err
		}
		thumb, err := painter.Thumbnail(ctx, encoded, p.Sample)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, pictures[i].Thumb), thumb, 0o644); err != nil {
			return nil, err
		}
	}
	return pictures, painter.Overlays(ctx, images, classes, func(k int, overlay []byte) error {
		picture := pictures[index[k]]
		picture.Overlay = rundir.HeatName(k + 1)
		return os.WriteFile(filepath.Join(dir, picture.Overlay), overlay, 0o644)
	})
}

// chosen is the indexed images of others.
type chosen struct {
	workflow.Files
	index []int
}

func (c chosen) Len() int                     { return len(c.index) }
func (c chosen) Sample(k int) pipeline.Sample { return c.Files.Sample(c.index[k]) }
func (c chosen) Bytes(k int) ([]byte, error)  { return c.Files.Bytes(c.index[k]) }
func (c chosen) Path(k int) (string, bool)    { return c.Files.Path(c.index[k]) }

// paths is the set of the files of indexed images.
func paths(images workflow.Files, index []int) map[string]bool {
	set := map[string]bool{}
	for _, i := range index {
		if path, ok := images.Path(i); ok {
			set[path] = true
		}
	}
	return set
}

// WriteReport writes both forms of a run's report into its folder, when no other
// process writes an evaluation.
func WriteReport(ctx context.Context, run rundir.Dir) error {
	if _, err := rundir.Find(run.Path); err != nil {
		return err
	}
	unlock, err := run.LockEvaluation(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return writeReport(run, nil)
}

func writeReport(run rundir.Dir, table *metrics.Table) error {
	var page, brief bytes.Buffer
	if err := report.Render(&page, &brief, run, table); err != nil {
		return err
	}
	return run.WriteReport(page.Bytes(), brief.Bytes())
}

// Unfinished says how far the training of a run got and how to continue it. ok is
// false if path is no run, or one that is finished.
func Unfinished(path string) (m pipeline.Message, ok bool) {
	at, ok := rundir.Dir{Path: path}.Unfinished()
	if !ok || !rundir.Is(path) {
		return m, false
	}
	return pipeline.Messagef("run %s is not finished: %v; continue with tftl fit %s %s",
		printable.Text(path), at, pipeline.Option("resume"), printable.Argument(path)), true
}
