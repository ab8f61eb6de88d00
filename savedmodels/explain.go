package savedmodels

import (
	"context"
	"fmt"
	"slices"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Explains reports whether the model can Explain.
func (p *Predictor) Explains() bool { return p.explains }

// Explain runs the network on pixels ([N,H,W,3], 0 to 255) and shows which
// regions of each image support the class given for it. It is safe for
// concurrent use. A model without the signature is an error of kind
// pipeline.BadModel.
func (p *Predictor) Explain(ctx context.Context, images pipeline.Batch, classes []int) (pipeline.HeatMaps, error) {
	if !p.explains {
		return pipeline.HeatMaps{}, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "signature %q is missing", signatureExplain),
			"export the network again with scripts/export.py and train the new export")
	}
	if len(classes) != len(images.Samples) {
		return pipeline.HeatMaps{}, fmt.Errorf("%d classes to explain for %d images", len(classes), len(images.Samples))
	}
	asked := make([]int32, len(classes))
	for i, class := range classes {
		if class < 0 || class >= len(p.Labels) {
			return pipeline.HeatMaps{}, fmt.Errorf("class %d to explain: the model has %d", class, len(p.Labels))
		}
		asked[i] = int32(class)
	}
	inputs, err := scalars(map[string]any{"label": asked})
	if err != nil {
		return pipeline.HeatMaps{}, err
	}
	if inputs["images"], err = tensor.Floats(images.Shape, images.Data); err != nil {
		return pipeline.HeatMaps{}, err
	}
	if images.Recycle != nil {
		images.Recycle()
	}
	results, err := p.graph.call(ctx, signatureExplain, inputs, "heatmap")
	if err != nil {
		return pipeline.HeatMaps{}, err
	}
	defer tensor.Free(results...)
	shape := results[0].Shape()
	return pipeline.HeatMaps{Height: int(shape[1]), Width: int(shape[2]), Data: slices.Clone(tensor.View(results[0]))}, nil
}
