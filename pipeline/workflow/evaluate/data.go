package evaluate

import (
	"cmp"
	"context"
	"path/filepath"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

// source is the data on which to measure.
type source struct {
	set *dataset.Set
	// own means that it is the run's own data. It then has the parts that were
	// recorded when the run began, so that training images are never measured,
	// even if the folder has moved.
	own  bool
	part string
}

// open opens the data.
func (m *measurement) open(ctx context.Context) (source, error) {
	if !rundir.Is(m.Model) {
		if m.Data == "" {
			return source{}, pipeline.Errorf(pipeline.BadUsage, "%s is missing: %s is not a run, so it has no data of its own", pipeline.Option("data"), m.Model)
		}
		return m.other()
	}
	run := rundir.Dir{Path: m.Model}
	config, err := run.ReadConfig()
	if err != nil {
		return source{}, rundir.Unreadable(err)
	}
	own := source{own: true, part: cmp.Or(m.Part, pipeline.TestPart)}
	path, err := filepath.Abs(cmp.Or(m.Data, config.Data.Path))
	if err != nil {
		return source{}, err
	}
	moved := m.Data != "" && path != config.Data.Path
	var ownErr error
	own.set, ownErr = m.recorded(run, config, path, own.part)
	if ownErr != nil && !moved {
		return source{}, ownErr
	}
	if ownErr == nil {
		if is, err := m.isRuns(ctx, run, own, moved); is || err != nil {
			return own, err
		}
	}
	return m.other()
}

// recorded opens the run's data with the recorded parts.
func (m *measurement) recorded(run rundir.Dir, config rundir.Config, path, part string) (*dataset.Set, error) {
	o := train.DataOptions(config)
	o.FollowSymlinks = o.FollowSymlinks || m.Dataset.FollowSymlinks
	o.AllowOutside = o.AllowOutside || m.Dataset.AllowOutside
	o.Layout = cmp.Or(m.Dataset.Layout, o.Layout)
	o.Columns = m.Dataset.Columns
	needed := []string{part}
	if m.Decision.onValidation() {
		needed = append(needed, pipeline.ValidationPart)
	}
	if m.Decision.checksNovelty() {
		needed = append(needed, pipeline.TrainPart, pipeline.ValidationPart)
	}
	return train.OpenRecorded(run, path, o, needed...)
}

// other opens data that is not the run's own.
func (m *measurement) other() (source, error) {
	set, err := dataset.OpenLabelled(m.Data, m.Dataset)
	if err != nil {
		return source{}, err
	}
	part := cmp.Or(m.Part, pipeline.TestPart)
	if m.Part == "" && set.Train.Len()+set.Validation.Len() == 0 {
		part = pipeline.AllParts // in data without parts, all images are in test
	}
	return source{set: set, part: part}, nil
}

// isRuns reports whether a data set with the run's file names is the run's own
// and not another one with the same names. If it has moved, it compares the contents
// of the images to measure, or of the training images if there are none.
func (m *measurement) isRuns(ctx context.Context, run rundir.Dir, s source, moved bool) (bool, error) {
	part, err := s.set.Part(s.part)
	if err != nil || !moved {
		return true, err
	}
	if part.Len() == 0 {
		part = s.set.Train
	}
	changed, err := m.digests.Changed(ctx, run, part, m.Workers, nil)
	return part.Len() > 0 && 2*len(changed) <= part.Len(), err
}

// warnOfContents compares the images of a measured part with those that the run
// began with. It comes after the prediction, for which they were read.
func (m *measurement) warnOfContents(ctx context.Context, s source, part dataset.Part) error {
	run := rundir.Dir{Path: m.Model}
	if !rundir.Is(m.Model) {
		return nil
	}
	if !s.own {
		return m.warnOfTrained(ctx, run, s.set.Classes, part)
	}
	changed, err := m.digests.Changed(ctx, run, part, m.Workers, nil)
	if len(changed) > 0 {
		m.env.Warn("%d of %d images have changed since the run began: %s", len(changed), part.Len(), printable.Few(changed))
	}
	return err
}

// warnOfTrained warns of images in another data set that the run was trained on,
// under any name. It also warns of images with the same path and class as a
// training image, because an image that was saved again has different bytes.
func (m *measurement) warnOfTrained(ctx context.Context, run rundir.Dir, classes []string, part dataset.Part) error {
	record, err := run.ReadData()
	if err != nil {
		return rundir.Unreadable(err)
	}
	was, err := run.ReadContents()
	if err != nil {
		return rundir.Unreadable(err)
	}
	names, contents := map[pipeline.Recorded]bool{}, map[workflow.Digest]bool{}
	for _, image := range record {
		if image.Part == pipeline.TrainPart {
			names[image], contents[was[image.ID]] = true, true
		}
	}
	if was != nil {
		if err := m.digests.Hash(ctx, part, m.Workers, nil); err != nil {
			return err
		}
	}
	named, same := 0, 0
	for i := range part.Len() {
		sample := part.Sample(i)
		sum := m.digests.Of(sample.ID)
		switch {
		case sum != workflow.Digest{} && contents[sum]:
			same++
		case names[pipeline.Recorded{ID: sample.ID, Class: classes[sample.Label], Part: pipeline.TrainPart}]:
			named++
		}
	}
	if same > 0 {
		m.env.Warn("the run was trained on %d of these images: the metrics are optimistic", same)
	}
	if named > 0 {
		m.env.Warn("%d images have the path and the class of an image that the run was trained on: if they are the same, the metrics are optimistic", named)
	}
	return nil
}
