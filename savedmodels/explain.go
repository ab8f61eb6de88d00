package savedmodels

import (
	"context"
	"fmt"
	"slices"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// outputMaps is what signature features returns besides features that do not tell
// the network's last feature maps.
const outputMaps = "maps"

// explainsFrom returns the input from which a training MetaGraph computes heat
// maps, or empty if it cannot.
func explainsFrom(have []Signature) string {
	for _, s := range have {
		for _, input := range s.Inputs {
			if s.Name == signatureExplain && input.Name != "label" {
				return input.Name
			}
		}
	}
	return ""
}

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
			"export the network again with tftl-export and train the new export")
	}
	if len(classes) != len(images.Samples) {
		return pipeline.HeatMaps{}, fmt.Errorf("%d classes to explain for %d images", len(classes), len(images.Samples))
	}
	for _, class := range classes {
		if class < 0 || class >= len(p.Labels) {
			return pipeline.HeatMaps{}, fmt.Errorf("class %d to explain: the model has %d", class, len(p.Labels))
		}
	}
	return p.graph.explain(ctx, "images", images, classes)
}

// Explains implements pipeline.Explainer.
func (s *stage) Explains() bool { return s.explainsFrom != "" }

// LosesMaps implements pipeline.Explainer.
func (s *stage) LosesMaps() bool { return s.explainsFrom == outputMaps }

// FeaturesAndMaps implements pipeline.Explainer.
func (s *stage) FeaturesAndMaps(ctx context.Context, images pipeline.Batch) (features, maps pipeline.Batch, err error) {
	g, err := s.frozen(ctx)
	if err != nil {
		return features, maps, err
	}
	both, err := g.transform(ctx, s.features, "images", images, "features", outputMaps)
	if err != nil {
		return features, maps, err
	}
	return both[0], both[1], nil
}

// Explain implements pipeline.Explainer.
func (s *stage) Explain(ctx context.Context, from pipeline.Batch, classes []int) (pipeline.HeatMaps, error) {
	if len(classes) != len(from.Samples) {
		return pipeline.HeatMaps{}, fmt.Errorf("%d classes to explain for %d images", len(classes), len(from.Samples))
	}
	return s.graph.explain(ctx, s.explainsFrom, from, classes)
}

// explain calls the signature with a batch and the class of each of its images.
func (g *graph) explain(ctx context.Context, input string, from pipeline.Batch, classes []int) (pipeline.HeatMaps, error) {
	asked := make([]int32, len(classes))
	for i, class := range classes {
		asked[i] = int32(class)
	}
	inputs, err := scalars(map[string]any{"label": asked})
	if err != nil {
		return pipeline.HeatMaps{}, err
	}
	if inputs[input], err = tensor.Floats(from.Shape, from.Data); err != nil {
		return pipeline.HeatMaps{}, err
	}
	if from.Recycle != nil {
		from.Recycle()
	}
	results, err := g.call(ctx, signatureExplain, inputs, "heatmap")
	if err != nil {
		return pipeline.HeatMaps{}, err
	}
	defer tensor.Free(results...)
	shape := results[0].Shape()
	return pipeline.HeatMaps{Height: int(shape[1]), Width: int(shape[2]), Data: slices.Clone(tensor.View(results[0]))}, nil
}
