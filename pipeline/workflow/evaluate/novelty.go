package evaluate

import (
	"context"
	"fmt"
	"os"
	"slices"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/novelty"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/train"
)

const optionUnfamiliar = pipeline.Option("unfamiliar")

// learntBy returns what a network has of a run, or nil if it serves the model in its
// folder, which judges novelty by itself.
func learntBy(n Network) *train.Learnt {
	switch n := n.(type) {
	case *train.Learnt:
		return n
	case interface{ Learnt() *train.Learnt }:
		return n.Learnt()
	}
	return nil
}

// judge makes the network judge novelty as the request says, or else as it is stored.
// It returns the decision with it, and the novelty if it is a new one.
func (m *measurement) judge(ctx context.Context, d metrics.Decision, data source) (metrics.Decision, *pipeline.Novelty, error) {
	share, learnt := m.Decision.Novelty, learntBy(m.network)
	switch {
	case share != nil && *share == 0:
		d.Novelty, d.NoveltyFrom = 0, ""
		fallthrough
	case share == nil && !d.ChecksNovelty():
		if learnt != nil {
			learnt.Novelty = nil
		}
		return d, nil, nil
	case share == nil && learnt == nil:
		return d, nil, nil
	case learnt == nil:
		err := pipeline.Errorf(pipeline.BadUsage, "%s: needs the exported network that the run began with, which cannot be used here", novelty.Option)
		return d, nil, pipeline.WithHint(err, "put it where it was")
	}
	served, err := learnt.Served()
	if err != nil {
		return d, nil, err
	}
	if share == nil {
		learnt.Novelty = served
		return d, nil, checkServed(served, d, m.Model)
	}
	if served == nil {
		err := pipeline.Errorf(pipeline.BadModel, "%s: the model in %s was trained from an older export, whose graph has no output for it", novelty.Option, printable.Text(m.Model))
		return d, nil, pipeline.WithHint(err, "export the network again, and train again")
	}
	space, images, err := m.learnNovelty(ctx, learnt, served, data)
	if err != nil {
		return d, nil, err
	}
	learnt.Novelty = space
	d.Novelty = float64(space.Limit)
	d.NoveltyFrom = fmt.Sprintf("%v of new images like the %d of the validation part are familiar", *share, images)
	return d, space, nil
}

// checkServed checks that a model judges novelty as the decision says.
func checkServed(served *pipeline.Novelty, d metrics.Decision, model string) error {
	if served != nil && len(served.Centers) > 0 && served.Limit == float32(d.Novelty) {
		return nil
	}
	err := pipeline.Errorf(pipeline.BadModel, "model %s: does not judge novelty as its decision says", printable.Text(model))
	return pipeline.WithHint(err, "choose it again with %s", novelty.Option)
}

// learnNovelty learns from the run's training part, and chooses the limit on its
// validation part. It returns how many images that has.
func (m *measurement) learnNovelty(ctx context.Context, learnt *train.Learnt, served *pipeline.Novelty, data source) (*pipeline.Novelty, int, error) {
	trained, err := m.recordedPart(ctx, data, pipeline.TrainPart, "for what is familiar")
	if err != nil {
		return nil, 0, err
	}
	validation, err := m.recordedPart(ctx, data, pipeline.ValidationPart, "for the limit of novelty")
	if err != nil {
		return nil, 0, err
	}
	if _, err := novelty.Limit(make([]float64, validation.Len()), *m.Decision.Novelty); err != nil {
		return nil, 0, err // before the frozen pass
	}
	classes := novelty.NewClasses(len(m.network.Classes()), served.Positions, served.Width)
	err = learnt.HeadInputs(ctx, trained, m.BatchSize, func(s pipeline.Sample, inputs []float32) error { return classes.Add(inputs, s.Label) })
	if err != nil {
		return nil, 0, err
	}
	space, err := classes.Space()
	if err != nil {
		return nil, 0, err
	}
	var distances []float64
	err = learnt.HeadInputs(ctx, validation, m.BatchSize, func(_ pipeline.Sample, inputs []float32) error {
		distances = append(distances, space.Distance(inputs))
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	space.Limit, err = novelty.Limit(distances, *m.Decision.Novelty)
	return space, len(distances), err
}

// recordedPart returns a part of the run's own data, as it was recorded when the run began.
func (m *measurement) recordedPart(ctx context.Context, data source, name, why string) (part dataset.Part, err error) {
	if !data.own {
		run := rundir.Dir{Path: m.Model}
		config, err := run.ReadConfig()
		if err != nil {
			return part, rundir.Unreadable(err)
		}
		own := *m
		own.Dataset.Columns = nil
		set, err := own.recorded(run, config, config.Data.Path, name)
		if err != nil {
			return part, err
		}
		if set, err = set.Relabel(m.network.Classes(), m.CommonClasses); err != nil {
			return part, err
		}
		data = source{set: set, own: true}
	}
	data.part = name
	if all, err := data.set.Part(name); err != nil || all.Len() == 0 {
		if err == nil {
			err = pipeline.Errorf(pipeline.BadData, "the run has no %s part on which to find a decision", words(name))
		}
		return part, err
	}
	if part, _, err = m.screened(ctx, data); err == nil {
		m.env.Say("part %s: %d images, %s", name, part.Len(), why)
	}
	return part, err
}

// words is a part's name in a sentence.
func words(part string) string {
	switch part {
	case pipeline.ValidationPart:
		return "validation"
	case pipeline.TrainPart:
		return "training"
	}
	return part
}

// checkNovelty returns an error if what is asked about novelty makes no sense.
func (r Request) checkNovelty(stored metrics.Decision) error {
	checks := r.Decision.checksNovelty() || r.Decision.Novelty == nil && stored.ChecksNovelty()
	if r.Decision.checksNovelty() && !rundir.Is(r.Model) {
		err := pipeline.Errorf(pipeline.BadUsage, "%s: %s is not a run: it has no training images to be like", novelty.Option, r.Model)
		return pipeline.WithHint(err, "give the run's folder")
	}
	if r.Unfamiliar != "" && !checks {
		err := pipeline.Errorf(pipeline.BadUsage, "%s: to the model every image is familiar", optionUnfamiliar)
		return pipeline.WithHint(err, "also give %s 0.95", novelty.Option)
	}
	for _, gate := range r.Gates {
		if err := gate.LacksNovelty(checks, r.Unfamiliar != ""); err != nil {
			return err
		}
	}
	return nil
}

func (d DecisionRequest) checksNovelty() bool { return d.Novelty != nil && *d.Novelty > 0 }

// otherImages lists the images of other things, without bad ones if those are to be
// skipped.
func (m *measurement) otherImages(ctx context.Context) (list images, err error) {
	if m.Unfamiliar == "" {
		return nil, nil
	}
	wrap := func(err error) error { return pipeline.Errorf(pipeline.KindOf(err), "%s: %w", optionUnfamiliar, err) }
	if _, err := os.Stat(m.Unfamiliar); err != nil {
		return nil, pipeline.Errorf(pipeline.BadData, "%s: %w", optionUnfamiliar, err)
	}
	for image, err := range dataset.Unlabelled([]string{m.Unfamiliar}, m.Dataset, nil, func(w pipeline.Message) { m.env.Warn("%v", w) }) {
		if err != nil {
			return nil, wrap(err)
		}
		list = append(list, image)
	}
	if m.OnBadImage == train.SkipBadImages {
		bad, err := m.env.ScreenImages(ctx, list, m.Workers)
		if err != nil {
			return nil, err
		}
		for _, b := range slices.Backward(bad) {
			list = slices.Delete(list, b.Index, b.Index+1)
		}
		if len(list) == 0 {
			return nil, pipeline.Errorf(pipeline.BadData, "%s: all images in %s are bad", optionUnfamiliar, printable.Text(m.Unfamiliar))
		}
	}
	m.env.Say("%s: %d images of other things", printable.Text(m.Unfamiliar), len(list))
	return list, nil
}

// noveltyOf returns the novelty of the images of other things.
func (m *measurement) noveltyOf(ctx context.Context, list images) (scores []float32, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	for some, err := range m.network.Predict(ctx, list, m.BatchSize) {
		if err != nil {
			return nil, pipeline.Errorf(pipeline.KindOf(err), "%s: %w", optionUnfamiliar, err)
		}
		for _, p := range some {
			scores = append(scores, p.Novelty)
		}
	}
	return scores, nil
}

// images are images without labels.
type images []pipeline.Image

// Len implements pipeline.Encoded.
func (s images) Len() int { return len(s) }

// Sample implements pipeline.Encoded.
func (s images) Sample(i int) pipeline.Sample {
	return pipeline.Sample{ID: s[i].ID, Label: -1, Weight: 1}
}

// Bytes implements pipeline.Encoded.
func (s images) Bytes(i int) ([]byte, error) { return s[i].Bytes() }
