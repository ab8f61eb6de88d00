package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// contents are what a run's folder holds.
type contents struct {
	run     rundir.Dir
	name    string
	config  rundir.Config
	raw     string // config.json as it stands
	classes []string
	parts   [3][]int // images of each class in train, validation and test
	skipped int      // bad images that fit left out
	history []pipeline.Epoch
	timing  []rundir.Timing

	// What evaluate left; nil where it was not run.
	evaluation *metrics.Report
	table      metrics.Table
	gallery    *Gallery
}

// read reads a run's folder. A file that is damaged, or gone where another
// needs it, is an error that names it. It writes nothing and removes nothing.
func read(run rundir.Dir) (contents, error) {
	if !rundir.Is(run.Path) {
		return contents{}, pipeline.Errorf(pipeline.BadUsage, "%s: is no run folder: it has no config.json", run.Path)
	}
	c := contents{run: run, name: baseName(run.Path)}
	for _, step := range []func() error{c.readConfig, c.readLabels, c.readParts, c.readSkipped, c.readTraining, c.readEvaluation} {
		if err := step(); err != nil {
			if pipeline.KindOf(err) == pipeline.Other {
				err = pipeline.Errorf(pipeline.BadModel, "run: %w", err)
			}
			return contents{}, err
		}
	}
	return c, nil
}

// baseName is the folder's own name, from wherever it is looked at.
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
	raw, err := os.ReadFile(c.run.File("config.json"))
	c.raw = strings.TrimSpace(string(raw))
	return err
}

func (c *contents) readLabels() error {
	data, err := os.ReadFile(c.run.File("labels.txt"))
	if err != nil {
		return err
	}
	c.classes = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i := range c.parts {
		c.parts[i] = make([]int, len(c.classes))
	}
	return nil
}

// readParts counts data.csv, the record of which image is in which part.
func (c *contents) readParts() error {
	path := c.run.File("data.csv")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for i, row := range rows {
		if i == 0 {
			continue
		}
		if len(row) != 3 {
			return fmt.Errorf("%s:%d: has %d columns and not three", path, i+1, len(row))
		}
		class := slices.Index(c.classes, row[1])
		part := slices.Index([]string{"train", "val", "test"}, row[2])
		if class < 0 {
			return fmt.Errorf("%s:%d: the class %q is not in labels.txt", path, i+1, row[1])
		}
		if part < 0 {
			return fmt.Errorf("%s:%d: there is no part %q", path, i+1, row[2])
		}
		c.parts[part][class]++
	}
	return nil
}

// readSkipped counts bad-images.csv, which not every run has.
func (c *contents) readSkipped() error {
	path := c.run.File("bad-images.csv")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.skipped = max(len(rows)-1, 0)
	return nil
}

func (c *contents) readTraining() (err error) {
	if c.history, err = c.run.ReadHistory(); err != nil {
		return err
	}
	c.timing, err = c.run.ReadTiming()
	return err
}

// readEvaluation reads evaluation.json and what belongs to it.
func (c *contents) readEvaluation() error {
	evaluation := new(metrics.Report)
	err := c.run.ReadJSON("evaluation.json", evaluation)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c.evaluation = evaluation
	again := fmt.Sprintf("tftl evaluate --model %s writes it anew", c.run.Path)
	if c.table, err = readTable(c.run.File("predictions.csv")); err != nil {
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "run: %w", err), "%s", again)
	}
	if got, want := len(c.table.Predictions), evaluation.Samples; got != want {
		err := pipeline.Errorf(pipeline.BadModel, "run: %s has %s, and evaluation.json %d", c.run.File("predictions.csv"), count(got, "image"), want)
		return pipeline.WithHint(err, "%s", again)
	}
	c.gallery, err = readGallery(c.run)
	return err
}

func readTable(path string) (metrics.Table, error) {
	file, err := os.Open(path)
	if err != nil {
		return metrics.Table{}, err
	}
	defer file.Close()
	return metrics.ReadTable(file, path)
}
