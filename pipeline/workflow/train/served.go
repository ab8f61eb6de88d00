package train

import (
	"context"
	"errors"
	"slices"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/workflow"
)

// servedImages is how many validation images are predicted as the model is served.
const servedImages = 128

// compareServed finds out whether the model is as good as it is served, in a float
// precision, as it was validated, with a frozen part in int8. It predicts some of the
// validation images once more, and warns if fewer are right by more than chance.
func (r *Run) compareServed(ctx context.Context) error {
	if r.Config.Runtime.Precision != "int8" {
		return nil
	}
	s := r.session
	s.Precision, s.Device = "auto", "cpu"
	network, err := r.env.Load(r.Config.Model.Path, s)
	if err != nil {
		return err
	}
	step := (r.set.Validation.Len() + servedImages - 1) / servedImages
	some := r.set.Validation.Keep(func(i int) bool { return i%step == 0 })
	validated, err := r.right(ctx, r.network, some)
	if err != nil {
		return err
	}
	served, err := r.right(ctx, network, some)
	if err != nil {
		return err
	}
	var lost, gained, all int
	for i := range served {
		switch {
		case validated[i] && !served[i]:
			lost++
		case served[i] && !validated[i]:
			gained++
		}
		if served[i] {
			all++
		}
	}
	of := pipeline.Messagef("of %d validation images, the model classifies %d right as it is served, in %s, and %d with its frozen part in int8",
		len(served), all, network.Info().Runtime.Precision, all+lost-gained)
	if lost > gained && metrics.McNemar(lost, gained) < 0.05 {
		r.env.Warn("%v: use %s %s", of, pipeline.Option("precision"), network.Info().Runtime.Precision)
	} else {
		r.env.Say("%v", of)
	}
	return nil
}

// right tells for each image whether the best epoch's weights classify it right.
func (r *Run) right(ctx context.Context, network workflow.Network, part dataset.Part) (right []bool, err error) {
	o := r.options
	o.Cluster = nil // whose other processes have nothing to predict any more
	learnt, err := Learn(r.Dir, network, o, r.digests, r.env)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, learnt.Close()) }()
	for predictions, err := range learnt.Predict(ctx, part, r.Config.Training.BatchSize) {
		if err != nil {
			return nil, err
		}
		for _, p := range predictions {
			right = append(right, slices.Index(p.Logits, slices.Max(p.Logits)) == p.Sample.Label)
		}
	}
	return right, nil
}
