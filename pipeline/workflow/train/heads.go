package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
)

// Heads trains heads on parts of a data set, as tftl fit would, on the features of
// all its images. It keeps no run. Methods are called from one goroutine.
type Heads struct {
	Skipped []rundir.BadImage // images that cannot be read, which are not among Images

	prepared *Prepared
	stage    pipeline.Stage
	images   pipeline.Encoded
	source   *features.Source // of all images
	work     string           // a temporary folder for the best weights
}

// Heads runs the frozen pass on the images of all parts. The request has the stage
// head alone, without augmentation and mixed images. The caller closes the result.
func (p *Prepared) Heads(ctx context.Context) (h *Heads, err error) {
	t := p.Config.Training
	if len(t.Stages) != 1 || t.Stages[0].Name != HeadStage || t.Augmentation.Enabled() || t.MixUp > 0 || t.CutMix > 0 || p.Request.Cluster != nil || p.Request.Cache.Off {
		return nil, errors.New("train: heads are trained on cached features alone")
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	p.Measured = true // so that the frozen pass has the test part too
	h = &Heads{prepared: p}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
			h = nil
		}
	}()
	if h.Skipped, err = p.look(ctx); err != nil {
		return nil, err
	}
	if h.stage, err = p.opened.Open(ctx, HeadStage); err != nil {
		return nil, err
	}
	if h.images, err = p.Set.Part(pipeline.AllParts); err != nil {
		return nil, err
	}
	h.source = p.opened.features(h.stage, h.images)
	h.work, err = os.MkdirTemp("", "tftl-heads-")
	return h, err
}

// Images are the images of all parts, in the order of the data set.
func (h *Heads) Images() pipeline.Encoded { return h.images }

// Train trains a new head, with early stopping on the validation images, and
// returns its best epoch. Both lists are indices of Images. A head that diverges
// is an error of kind Diverged.
func (h *Heads) Train(ctx context.Context, seed uint64, train, validation []int) (pipeline.Epoch, error) {
	config := h.prepared.Config
	config.Seed = seed
	history, err := pipeline.Fit(ctx, pipeline.Job{
		Plan: plan(config, h.prepared.Set.Classes, len(train)), Model: reopened{h.stage}, Recorder: bestOnly{h.best()}, Measure: measure,
		Inputs: func(context.Context, string, pipeline.Stage) (pipeline.Source, pipeline.Source, error) {
			return some{h.source, train}, some{h.source, validation}, nil
		},
	})
	if err != nil {
		return pipeline.Epoch{}, err
	}
	best, ok := pipeline.BestOf(history)
	if !ok {
		return best, pipeline.WithHint(pipeline.Errorf(pipeline.Diverged, "training diverged: no epoch is usable"), "a smaller %s usually helps", pipeline.Option("lr"))
	}
	return best, h.stage.Restore(ctx, h.best())
}

// Predict predicts images with the head that was trained last.
func (h *Heads) Predict(ctx context.Context, index []int) ([]pipeline.Prediction, error) {
	return pipeline.Together(pipeline.Evaluate(ctx, some{h.source, index}, pipeline.Top{Stage: h.stage}, h.prepared.Config.Training.BatchSize, nil))
}

// Features returns one vector of width numbers for each image: what the head is
// trained on, averaged over positions if it has any.
func (h *Heads) Features(ctx context.Context, index []int) (values []float32, width int, err error) {
	for part := range slices.Chunk(index, h.prepared.opened.frozenBatch()) {
		batch, err := h.source.Batch(ctx, 0, part)
		if err != nil {
			return nil, 0, err
		}
		width = int(batch.Shape[len(batch.Shape)-1])
		positions := len(batch.Data) / max(len(part)*width, 1)
		for i := range part {
			values = append(values, mean(batch.Data[i*positions*width:(i+1)*positions*width], width)...)
		}
	}
	return values, width, nil
}

// mean is the mean of vectors that follow each other.
func mean(vectors []float32, width int) []float32 {
	sums := make([]float64, width)
	for i, v := range vectors {
		sums[i%width] += float64(v)
	}
	means := make([]float32, width)
	for i, sum := range sums {
		means[i] = float32(sum / float64(len(vectors)/width))
	}
	return means
}

func (h *Heads) best() string { return filepath.Join(h.work, "ckpt") }

// Close frees the network and removes temporary files. The feature cache stays.
func (h *Heads) Close() (err error) {
	if h.stage != nil {
		err = h.stage.Close()
	}
	if h.prepared.opened != nil {
		h.prepared.opened.close()
	}
	if h.work != "" {
		err = errors.Join(err, os.RemoveAll(h.work))
	}
	return err
}

// bestOnly is the recorder of a head of which only the best weights are kept.
type bestOnly struct{ prefix string }

func (bestOnly) Epoch(pipeline.Epoch) error { return nil }

func (b bestOnly) Save(name string, _ pipeline.State, save func(prefix string) error) error {
	if name != pipeline.Best {
		return nil
	}
	return save(b.prefix)
}

func (b bestOnly) Checkpoint(string) string { return b.prefix }

// some is part of a source.
type some struct {
	pipeline.Source
	index []int
}

func (s some) Len() int                     { return len(s.index) }
func (s some) Sample(i int) pipeline.Sample { return s.Source.Sample(s.index[i]) }
func (s some) Batch(ctx context.Context, epoch int, index []int) (pipeline.Batch, error) {
	at := make([]int, len(index))
	for i, k := range index {
		at[i] = s.index[k]
	}
	return s.Source.Batch(ctx, epoch, at)
}
