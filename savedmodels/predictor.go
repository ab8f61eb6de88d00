package savedmodels

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Plain describes a SavedModel that has no description of its own.
type Plain struct {
	Output  string   // what it returns: "probabilities" or "logits"
	Rescale float64  // factor for pixels from 0 to 255; 0 for 1
	Labels  []string // the classes in the order of its outputs
}

// Predictor is a network opened for serving.
type Predictor struct {
	graph         *graph
	signature     string
	input         string
	probabilities string // name of that output; empty if there is none
	logits        string // likewise
	novelty       bool   // it says how unlike the training images an image is
	rescale       float32
	explains      bool
	// Labels are the classes in the order of the outputs. Input says how images
	// become the network's input.
	Labels []string
	Input  Input
}

// Predictor opens the model for serving. plain is for a model without the
// contract, and must be the zero value for one with it.
func (m *Model) Predictor(plain Plain) (*Predictor, error) {
	def := metaGraph(m.saved, tagServe)
	if def == nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: has no MetaGraph with the tag %s", m.Dir, tagServe)
	}
	if m.Runtime != nil && m.Runtime.Precision == Int8 {
		return nil, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadUsage, "%s int8: model %s serves in float32; only the frozen part of an exported network can be computed in int8", pipeline.Option("precision"), m.Dir),
			"use %s auto", pipeline.Option("precision"))
	}
	p := &Predictor{signature: "serving_default", rescale: 1}
	var err error
	if m.Description == nil {
		err = p.plain(m.Dir, signatures(def), plain)
	} else {
		p.explains = has(signatures(def), signatureExplain)
		if err = p.contract(m, plain); err == nil {
			var n *pipeline.Novelty
			n, err = m.Novelty()
			p.novelty = n != nil && len(n.Centers) > 0
		}
	}
	if err != nil {
		return nil, err
	}
	if p.graph, err = open(m.Dir, def, m.Runtime.inferring()); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Predictor) contract(m *Model, plain Plain) error {
	if plain.Output != "" || plain.Rescale != 0 || plain.Labels != nil {
		return pipeline.Errorf(pipeline.BadUsage, "model %s: describes its own output, scale and labels: %s, %s and %s are for models that do not", m.Dir,
			pipeline.Option("model-output"), pipeline.Option("rescale"), pipeline.Option("labels"))
	}
	if len(m.Description.Labels) == 0 {
		return pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: is not trained: its head has no classes yet", m.Dir),
			"train it with tftl fit, then give evaluate or predict the run's folder")
	}
	p.input, p.probabilities, p.logits = "images", "probabilities", "logits"
	p.Labels, p.Input = m.Description.Labels, m.Description.Input
	return nil
}

func (p *Predictor) plain(dir string, have []Signature, plain Plain) error {
	i := slices.IndexFunc(have, func(s Signature) bool { return s.Name == p.signature })
	if i < 0 && len(have) == 1 {
		i = 0
	}
	if i < 0 {
		return pipeline.Errorf(pipeline.BadModel, "model %s: signature %q is missing", dir, p.signature)
	}
	s := have[i]
	bad := func(format string, args ...any) error {
		return pipeline.Errorf(pipeline.BadModel, "model %s: signature %q: %w", dir, s.Name, fmt.Errorf(format, args...))
	}
	switch {
	case len(s.Inputs) != 1 || len(s.Outputs) != 1:
		return bad("has %d inputs and %d outputs, but needs one of each", len(s.Inputs), len(s.Outputs))
	case s.Inputs[0].DType != "float32" || !fits(s.Inputs[0].Shape, []int64{-1, anySize, anySize, 3}):
		return bad("takes %v, not float32 images [?,height,width,3]", s.Inputs[0])
	case s.Outputs[0].DType != "float32" || !fits(s.Outputs[0].Shape, []int64{-1, anySize}):
		return bad("returns %v, not float32 [?,classes]", s.Outputs[0])
	case len(s.Inputs[0].Shape) != 4 || s.Inputs[0].Shape[1] < 1 || s.Inputs[0].Shape[2] < 1:
		return bad("does not declare the size of its images: %v", s.Inputs[0])
	}
	switch plain.Output {
	case "probabilities":
		p.probabilities = s.Outputs[0].Name
	case "logits":
		p.logits = s.Outputs[0].Name
	case "":
		return pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: has no assets.extra/tftl.json to describe its output", dir),
			"use %s probabilities or logits, %s FILE and, if the model expects it, %s 1/255",
			pipeline.Option("model-output"), pipeline.Option("labels"), pipeline.Option("rescale"))
	default:
		return pipeline.Errorf(pipeline.BadUsage, "%s %q: must be probabilities or logits", pipeline.Option("model-output"), plain.Output)
	}
	if len(plain.Labels) < 2 {
		return pipeline.Errorf(pipeline.BadUsage, "model %s: its classes are unknown: list them with %s FILE, one per line", dir, pipeline.Option("labels"))
	}
	if n, have := s.Outputs[0].Shape[1], len(plain.Labels); n > 0 && int(n) != have && (n != 1 || have != 2) {
		return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "model %s: has an output of width %d, but there are %d labels", dir, n, have),
			"list one label per output value, in their order; for a single value list two")
	}
	if plain.Rescale != 0 {
		p.rescale = float32(plain.Rescale)
	}
	p.signature, p.input, p.Labels = s.Name, s.Inputs[0].Name, plain.Labels
	p.Input = Input{Size: [2]int{int(s.Inputs[0].Shape[1]), int(s.Inputs[0].Shape[2])}, Interpolation: "bilinear", Fit: "stretch"}
	return nil
}

// Predict runs the network on pixels ([N,H,W,3], 0 to 255), one prediction per
// sample. It is safe for concurrent use.
func (p *Predictor) Predict(ctx context.Context, images pipeline.Batch) ([]pipeline.Prediction, error) {
	if p.rescale != 1 {
		images.Data = slices.Clone(images.Data)
		for i := range images.Data {
			images.Data[i] *= p.rescale
		}
	}
	outputs := slices.DeleteFunc([]string{p.logits, p.probabilities}, func(s string) bool { return s == "" })
	n, c := len(images.Samples), len(p.Labels)
	predictions := make([]pipeline.Prediction, n)
	named := outputs
	if p.novelty {
		named = append(named[:len(named):len(named)], outputNovelty)
	}
	results, err := p.graph.feed(ctx, p.signature, p.input, images, named...)
	if err != nil {
		return nil, err
	}
	defer tensor.Free(results...)
	if p.novelty {
		last := len(results) - 1
		for i, v := range tensor.View(results[last])[:n] {
			predictions[i].Novelty = v
		}
		results = results[:last:last]
	}
	rows := make([][]float32, len(results))
	for i, r := range results {
		values := slices.Clone(tensor.View(r))
		if c == 2 && len(values) == n && n > 0 {
			values = pair(values, outputs[i] == p.logits)
		}
		if len(values) != n*c {
			return nil, pipeline.Errorf(pipeline.BadModel, "the model returns %v for %d images, but there are %d labels", r.Shape(), n, c)
		}
		rows[i] = values
	}
	for i := range predictions {
		predictions[i].Sample = images.Samples[i]
		for k, name := range outputs {
			row := rows[k][i*c : (i+1)*c : (i+1)*c]
			if name == p.logits {
				predictions[i].Logits = row
			} else {
				predictions[i].Probabilities = row
			}
		}
		if p.probabilities == "" {
			predictions[i].Probabilities = pipeline.Softmax(predictions[i].Logits)
		}
		if err := sound(predictions[i]); err != nil {
			return nil, err
		}
	}
	return predictions, nil
}

// sound checks that a prediction has finite logits, and probabilities from 0 to 1
// that sum to 1, within the rounding of bfloat16.
func sound(p pipeline.Prediction) error {
	what, value := p.Unsound()
	unlike := func(why string) pipeline.Message {
		return pipeline.Messagef("%s; use %s logits for models that end without softmax or sigmoid", why, pipeline.Option("model-output"))
	}
	hint := unlike("they should sum to 1")
	switch {
	case what == "":
		return nil
	case math.IsNaN(value) || math.IsInf(value, 0):
		hint = pipeline.Messagef("its weights are damaged, or training went wrong")
	case what == "probability is":
		hint = unlike("it should be from 0 to 1")
	}
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "image %s: the model's %s %g", p.Sample.ID, what, value), "%s", hint)
}

// pair turns the single output of a sigmoid into two columns: a zero beside its
// logit, or one minus its probability beside the probability.
func pair(values []float32, logits bool) []float32 {
	two := make([]float32, 0, 2*len(values))
	for _, v := range values {
		first := float32(0)
		if !logits {
			first = 1 - v
		}
		two = append(two, first, v)
	}
	return two
}

// Close releases the session.
func (p *Predictor) Close() { p.graph.close() }
