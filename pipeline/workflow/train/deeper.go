package train

import (
	"context"
	"slices"
	"sync"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// headFeaturesFrom is the stage after the head in a plan, if the features of the
// head are computed from its. Then one frozen pass serves both stages. It decides
// how these features round, so it follows from the config alone.
//
// Images with new augmentation in every epoch have no frozen pass. The weights of
// an earlier run may differ between the two cuts from those that the deeper stage
// has when it is opened for its features.
func headFeaturesFrom(config rundir.Config, info workflow.Info) string {
	t := config.Training
	if !info.NewHead || t.FrozenEachEpoch() || frozenWeights(config.Model.InitFrom, info, HeadStage) != "" {
		return ""
	}
	head := slices.IndexFunc(t.Stages, func(s rundir.Stage) bool { return s.Name == HeadStage })
	next := slices.IndexFunc(t.Stages, func(s rundir.Stage) bool { return s.Name != HeadStage })
	if head < 0 || next < 0 {
		return ""
	}
	return t.Stages[next].Name
}

// deeper is a stage below the head that computes features for both. It is opened
// when an image first needs it.
type deeper struct {
	network workflow.Network
	name    string
	space   string          // of the store
	store   *features.Store // nil if its own features are not kept

	mu    sync.Mutex
	stage pipeline.Stage // nil while it is not open
}

// Features is the frozen part below the deeper cut.
func (d *deeper) Features(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error) {
	return d.compute(ctx, images, pipeline.Stage.Features)
}

// HeadInputs turns features at the deeper cut into those of the head.
func (d *deeper) HeadInputs(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error) {
	return d.compute(ctx, images, pipeline.Stage.HeadInputs)
}

func (d *deeper) compute(ctx context.Context, b pipeline.Batch, how func(pipeline.Stage, context.Context, pipeline.Batch) (pipeline.Batch, error)) (pipeline.Batch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stage == nil {
		stage, err := d.network.Open(ctx, d.name)
		if err != nil {
			return b, err
		}
		d.stage = stage
	}
	return how(d.stage, ctx, b)
}

// take returns the stage if it is open, for its own training. It is opened again if
// an image needs it all the same.
func (d *deeper) take() pipeline.Stage {
	d.mu.Lock()
	defer d.mu.Unlock()
	stage := d.stage
	d.stage = nil
	return stage
}

// close closes the stage.
func (d *deeper) close() error {
	if stage := d.take(); stage != nil {
		return stage.Close()
	}
	return nil
}
