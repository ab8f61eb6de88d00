package report

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// contents is what a run folder holds.
type contents struct {
	run     rundir.Dir
	name    string
	config  rundir.Config
	raw     string // config.json as it stands
	classes []string
	parts   [3][]int // images of each class in train, validation and test
	skipped int      // bad images that fit skipped
	history []pipeline.Epoch
	// unfinished says how far training got; empty if it has ended.
	unfinished string
	timing     []rundir.Timing
	tuning     *rundir.Tuning // nil if the run was not tuned
	state      pipeline.State // of the last checkpoint

	// From evaluate; nil if the run has not been evaluated.
	evaluation *metrics.Report
	table      *metrics.Table // nil if no predictions were kept
	gallery    *Gallery
}

// read reads a run folder without changing it, except for its predictions if they
// are given. If a file is damaged, or missing though another needs it, the error
// names it.
func read(run rundir.Dir, predictions *metrics.Table) (contents, error) {
	if _, err := rundir.Find(run.Path); err != nil {
		return contents{}, err
	}
	c := contents{run: run, name: baseName(run.Path), table: predictions}
	for _, step := range []func() error{c.readConfig, c.readLabels, c.readParts, c.readSkipped, c.readTraining, c.readEvaluation} {
		if err := step(); err != nil {
			if pipeline.KindOf(err) == pipeline.Other {
				err = rundir.Unreadable(err)
			}
			return contents{}, err
		}
	}
	return c, nil
}

// baseName is the folder's own name, whatever the current folder.
func baseName(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return filepath.Base(path)
}

func (c *contents) readConfig() (err error) {
	if c.config, err = c.run.ReadConfig(); err != nil {
		return err
	}
	c.raw, err = c.run.ConfigText()
	return err
}

func (c *contents) readLabels() (err error) {
	c.classes, err = c.run.ReadLabels()
	for i := range c.parts {
		c.parts[i] = make([]int, len(c.classes))
	}
	return err
}

// readParts counts the images of each class and part in data.csv.
func (c *contents) readParts() error {
	images, err := c.run.ReadData()
	if err != nil {
		return err
	}
	parts := pipeline.Parts()
	classes := map[string]int{}
	for i, class := range c.classes {
		classes[class] = i
	}
	for _, image := range images {
		class, ok := classes[image.Class]
		if !ok {
			return fmt.Errorf("data.csv: class %q of image %s is not in labels.txt", image.Class, image.ID)
		}
		c.parts[slices.Index(parts[:], image.Part)][class]++
	}
	return nil
}

// readSkipped counts the lines of bad-images.csv, if the run has one.
func (c *contents) readSkipped() error {
	bad, err := c.run.ReadBadImages()
	c.skipped = len(bad)
	return err
}

func (c *contents) readTraining() (err error) {
	if c.history, err = c.run.ReadHistory(); err != nil {
		return err
	}
	if at, ok := c.run.Unfinished(); ok {
		c.unfinished = "Training is not finished: " + display(at.String()) + ". tftl fit can resume it."
	}
	if c.tuning, err = c.run.ReadTuning(); err != nil {
		return err
	}
	if c.timing, err = c.run.ReadTiming(); err != nil {
		return err
	}
	c.state, err = c.run.State()
	return err
}

// readEvaluation reads evaluation.json and the files that belong to it.
func (c *contents) readEvaluation() error {
	evaluation := new(metrics.Report)
	err := c.run.ReadEvaluation(evaluation)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c.evaluation = evaluation
	if c.table == nil && evaluation.Predictions != rundir.NoPredictions {
		if err := c.readPredictions(); err != nil {
			return c.evaluateAgain(err)
		}
	}
	c.gallery, err = readGallery(c.run)
	return err
}

func (c *contents) readPredictions() error {
	file, err := c.run.OpenPredictions()
	if err != nil {
		return err
	}
	defer file.Close()
	table, err := metrics.ReadTable(file, file.Name())
	if err != nil {
		return err
	}
	if got, want := len(table.Predictions), c.evaluation.Samples; got != want {
		return fmt.Errorf("%s has %s, but evaluation.json %d", file.Name(), count(got, "image"), want)
	}
	c.table = &table
	return nil
}

// evaluateAgain adds the next step to an error of what evaluate wrote.
func (c *contents) evaluateAgain(err error) error {
	if rundir.Damaged(err) {
		return err // it says so too
	}
	err = pipeline.Errorf(pipeline.BadModel, "%w", err)
	return pipeline.WithHint(err, "run: tftl evaluate %s %s", pipeline.Option("model"), printable.Argument(c.run.Path))
}
