package train

import (
	"context"

	"tftl/pipeline"
	"tftl/pipeline/features"
)

const (
	// seenBytes limits what is remembered of the images predicted last. Those beyond
	// it that HeatMaps is asked for are computed again.
	seenBytes = 256 << 20
	// explainBatch is the number of images explained at a time: gradients take more
	// memory than predictions.
	explainBatch = 8
)

// explainer returns the stage as one that explains. ok is false if it cannot.
func (l *Learnt) explainer() (e pipeline.Explainer, ok bool) {
	e, ok = l.stage.(pipeline.Explainer)
	return e, ok && e.Explains()
}

// forget begins to remember other images.
func (l *Learnt) forget() (err error) {
	_ = l.seen.Close()
	l.seen, err = features.Open(features.Options{MaxBytes: seenBytes}, "")
	return err
}

// remembering is the stage's frozen part. It remembers of each image in a source
// what Explain takes.
func (l *Learnt) remembering(e pipeline.Explainer, s *features.Source) features.Compute {
	at := make(map[string]int, s.Len())
	for i := range s.Len() {
		at[s.Sample(i).ID] = i
	}
	return func(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error) {
		out, from, err := frozen(ctx, e, l.stage, images)
		if err != nil {
			return out, err
		}
		for i, sample := range from.Samples {
			one := rows(from, i, i+1)
			l.seen.Put(s.Digest(at[sample.ID]), one.Shape[1:], one.Data)
		}
		return out, nil
	}
}

// frozen runs a stage's frozen part. It returns the features, and what Explain
// takes: the same, or the maps that they lose.
func frozen(ctx context.Context, e pipeline.Explainer, stage pipeline.Stage, images pipeline.Batch) (out, from pipeline.Batch, err error) {
	if e.LosesMaps() {
		return e.FeaturesAndMaps(ctx, images)
	}
	out, err = stage.Features(ctx, images)
	return out, out, err
}

// HeatMaps returns the heat map of each image for its class. It computes only
// images that are neither in the cache nor remembered from Predict. ok is false if
// the exported network cannot explain.
func (l *Learnt) HeatMaps(ctx context.Context, images pipeline.Encoded, classes []int) (heat pipeline.HeatMaps, ok bool, err error) {
	if err := l.open(ctx); err != nil {
		return heat, false, err
	}
	e, ok := l.explainer()
	if !ok {
		return heat, false, nil
	}
	source := l.in.features(l.stage, images)
	if e.LosesMaps() {
		source = &features.Source{Encoded: images, Decode: source.Decode, Workers: source.Workers}
		source.Compute = func(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error) {
			_, maps, err := e.FeaturesAndMaps(ctx, images)
			return maps, err
		}
	}
	if e.LosesMaps() || !l.lasts() {
		source.Store = l.seen
	}
	source.Compute = features.Filled(source.Compute, l.in.frozenBatch())
	index := make([]int, images.Len())
	for i := range index {
		index[i] = i
	}
	from, err := source.Batch(ctx, 0, index)
	if err != nil {
		return heat, true, err
	}
	for start := 0; start < len(classes); start += explainBatch {
		end := min(start+explainBatch, len(classes))
		some, err := e.Explain(ctx, rows(from, start, end), classes[start:end])
		if err != nil {
			return heat, true, err
		}
		heat.Append(some)
	}
	return heat, true, nil
}

// rows returns the samples [from, to) of a batch.
func rows(b pipeline.Batch, from, to int) pipeline.Batch {
	width := len(b.Data) / len(b.Samples)
	shape := append([]int64{int64(to - from)}, b.Shape[1:]...)
	return pipeline.Batch{Samples: b.Samples[from:to], Shape: shape, Data: b.Data[from*width : to*width]}
}
