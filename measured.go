package tftl

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/pixels"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
	"tftl/savedmodels"
)

// Measured is a run or a SavedModel, opened for package evaluate. It is not safe
// for concurrent use.
type Measured struct {
	path    string
	held    *rundir.Held // nil if it is no run
	options Options
	learnt  *train.Learnt // nil if the model in the folder is measured instead
	model   *Classifier   // nil before it is needed
}

// OpenMeasured opens a run or a SavedModel for evaluate.Run. A run is measured
// through the feature cache if its exported network is where it was: then only
// images that are not in the cache pass the frozen part. Otherwise, and for a
// SavedModel, the serving graph computes all images. The caller closes the result.
func OpenMeasured(path string, o Options, cache train.Cache, env workflow.Env) (*Measured, error) {
	m := &Measured{path: path, options: o}
	_, err := Resolve(o.Session)
	if err == nil && rundir.Is(path) {
		m.held, err = rundir.Dir{Path: path}.Hold()
	}
	if err == nil && m.held != nil && isZero(o.Plain) {
		err = m.learn(cache, env)
	}
	if err == nil && m.learnt == nil {
		err = m.open()
	}
	if err != nil && m.held != nil {
		m.held.Close()
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// learn opens what the run has learnt, or says why that is not possible.
func (m *Measured) learn(cache train.Cache, env workflow.Env) error {
	run := m.held.Dir
	timed := rundir.Timed(env.Show)
	env.Show = func(e pipeline.Event, _ rundir.Timing) { timed(e) }
	learnt, why := train.LearnModel(run, m.options.Session, train.Options{Cache: cache, Workers: m.options.Workers}, env)
	switch {
	case why == nil:
		m.learnt = learnt
		if err := CheckModel(run.Model()); err != nil { // the figures would be those of a broken model
			return errors.Join(err, learnt.Close())
		}
	case rundir.Damaged(why), unreadable(why):
		return why
	case run.HasModel():
		env.Say("the feature cache is not used: run %s: %v", printable.Text(run.Path), why)
	}
	return nil
}

// unreadable says whether an error is of a disk or the system, and not of a file that
// is gone or belongs to someone else.
func unreadable(err error) bool {
	_, system := errors.AsType[*fs.PathError](err)
	return system && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}

func isZero(p savedmodels.Plain) bool { return p.Output == "" && p.Rescale == 0 && p.Labels == nil }

// open opens the model in the folder.
func (m *Measured) open() (err error) {
	if m.model == nil {
		m.model, err = Open(m.path, m.options)
	}
	return err
}

// Held is the run's folder, held open until it is closed. It is nil for a model that
// is no run.
func (m *Measured) Held() *rundir.Held { return m.held }

// Classes returns the classes in the order of the outputs.
func (m *Measured) Classes() []string {
	if m.learnt != nil {
		return m.learnt.Classes()
	}
	return m.model.Classes()
}

// Predict predicts every image in order, a batch at a time.
func (m *Measured) Predict(ctx context.Context, images pipeline.Encoded, batchSize int) iter.Seq2[[]pipeline.Prediction, error] {
	if m.learnt != nil {
		return m.learnt.Predict(ctx, images, batchSize)
	}
	return m.model.Predict(ctx, images, batchSize)
}

// Learnt is what predicts, or nil if the model in the folder does.
func (m *Measured) Learnt() *train.Learnt { return m.learnt }

// Painter paints images as the network sees them. The caller closes it first.
func (m *Measured) Painter() *pixels.Painter {
	if m.learnt == nil {
		return m.model.Painter()
	}
	return pixels.NewPainter(decoding(m.learnt.Input(), m.options.Workers), m.heatMaps)
}

// heatMaps explains from what Predict computed. The exported network of an older
// version cannot, but the model of the run may.
func (m *Measured) heatMaps(ctx context.Context, images pipeline.Encoded, classes []int) (heat pipeline.HeatMaps, ok bool, err error) {
	if heat, ok, err = m.learnt.HeatMaps(ctx, images, classes); ok || err != nil {
		return heat, ok, err
	}
	if err := m.open(); err != nil {
		return heat, false, err
	}
	return pixels.Explained(m.model.Network, m.model.decoder)(ctx, images, classes)
}

// Close frees the model.
func (m *Measured) Close() error {
	if m.model != nil {
		m.model.Close()
	}
	if m.held != nil {
		m.held.Close()
	}
	if m.learnt == nil {
		return nil
	}
	return m.learnt.Close()
}
