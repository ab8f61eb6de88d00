package savedmodels

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// stage implements pipeline.Stage over one training MetaGraph.
type stage struct {
	*graph
	info       StageInfo
	optimizers []string
	constants  bool // the stage also has its frozen part with the export's weights as constants
	opening    sync.Mutex
	int8       bool   // the frozen part is to be computed in int8
	constant   *graph // the frozen part with constants, or in int8; nil until an image needs it
	inferring  *graph // the whole graph for its frozen part, in a precision in which nothing is trained; nil for graph
	features   string // the signature that runs the frozen part
	version    int    // of the contract
	network    *Model
	restored   *bundle // the checkpoint that was read last; nil if none
	sifted     bool    // restored has only what each checkpoint of the stage takes from it
	classes    int64   // of the head; 0 before Init and Restore
	abandoned  bool    // a step may still be going on, because its cluster ended meanwhile
	// explainsFrom is the input from which it computes heat maps; empty if it cannot.
	explainsFrom string
}

// older is the error for a model of version 2 of the contract.
func (s *stage) older() error {
	return pipeline.WithHint(
		pipeline.Errorf(pipeline.BadModel, "model %s: has version 2 of the training contract, whose heads have neither a feature scale nor an output scale", s.network.Dir),
		"export it again")
}

// choose opens the graph, or another one if a checkpoint needs it; nil is the
// network as it was exported. If the network's variables equal the constants,
// features are computed from these, which is faster, and the graph is opened
// without its frozen part.
func (s *stage) choose(def *metaGraphDef, checkpoint *bundle) error {
	hold, err := s.constantsHold(checkpoint)
	if err != nil {
		return err
	}
	features := signatureFeatures
	switch {
	case s.int8 && !hold:
		return s.network.otherWeights()
	case s.int8:
		features = s.info.Name
	case hold:
		features = signatureConstant
	}
	if s.features == features {
		return nil
	}
	var g *graph
	if hold && s.version >= 4 {
		g, err = openAbove(s.network, def)
	} else {
		g, err = open(s.network.Dir, def, s.network.Runtime)
	}
	if err != nil {
		return err
	}
	var inferring *graph
	if r := s.network.Runtime; r.inference != nil && g.assigned == nil {
		if inferring, err = open(s.network.Dir, def, r.inferring()); err != nil {
			g.close()
			return err
		}
	}
	s.closeGraphs()
	s.graph, s.inferring, s.features = g, inferring, features
	return nil
}

func (s *stage) closeGraphs() {
	for _, g := range []*graph{s.graph, s.inferring} {
		if g != nil {
			g.close()
		}
	}
}

// constantsHold answers as the signature constants_hold does, without running it:
// the constants are the exporter's variables, and only a checkpoint replaces these.
func (s *stage) constantsHold(checkpoint *bundle) (bool, error) {
	if !s.constants && !s.int8 {
		return false, nil
	}
	network, v, err := s.network.variables()
	if err != nil {
		return false, err
	}
	defer network.close()
	if v.sum() != s.network.Description.Weights.VariablesSHA256 {
		return false, nil
	}
	if checkpoint == nil {
		return true, nil
	}
	below, err := s.below()
	if err != nil {
		return false, err
	}
	for _, key := range checkpoint.keys() {
		if !below[key] {
			continue
		}
		if same, err := sameValue(checkpoint, network, key); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// below returns the keys in checkpoints of the variables below the cut.
func (s *stage) below() (map[string]bool, error) {
	whole, err := s.def.graphDef()
	if err != nil {
		return nil, err
	}
	keys, err := checkpointKeys(whole, s.def.GetSaverDef().GetRestoreOpName())
	if err != nil {
		return nil, err
	}
	below := map[string]bool{}
	frozen := part(s.def, whole, func(signature string) bool { return signature == signatureFeatures })
	for _, node := range frozen.GetNode() {
		if key := keys[node.GetName()]; key != "" {
			below[key] = true
		}
	}
	return below, nil
}

// frozen returns the graph of the signature that runs the frozen part.
func (s *stage) frozen(ctx context.Context) (*graph, error) {
	if s.assigned == nil || ctx.Err() != nil {
		return cmp.Or(s.inferring, s.graph), ctx.Err()
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.constant == nil {
		open := s.openConstant
		if s.int8 {
			open = s.openInt8
		}
		g, err := open()
		if err != nil {
			return nil, err
		}
		s.constant = g
	}
	return s.constant, nil
}

func (s *stage) Init(ctx context.Context, h pipeline.Head) error {
	if h.Classes < 2 {
		return pipeline.Errorf(pipeline.BadUsage, "a head needs two or more classes, not %d", h.Classes)
	}
	widths := make([]int32, len(h.Units))
	for i, width := range h.Units {
		widths[i] = int32(width)
	}
	values := map[string]any{
		"classes": int32(h.Classes),
		"units":   widths,
		"seed":    []int32{int32(h.Seed), int32(h.Seed >> 32)},
	}
	switch {
	case s.version >= 3:
		values["feature_scale"], values["output_scale"] = float32(h.FeatureScale), float32(h.OutputScale)
	case h.FeatureScale != 1 || h.OutputScale != 1:
		return s.older()
	}
	inputs, err := scalars(values)
	if err != nil {
		return err
	}
	s.classes = int64(h.Classes)
	return s.do(ctx, "init", inputs)
}

func (s *stage) Begin(ctx context.Context) error { return s.do(ctx, "begin", nil) }

func (s *stage) Features(ctx context.Context, images pipeline.Batch) (pipeline.Batch, error) {
	g, err := s.frozen(ctx)
	if err != nil {
		return pipeline.Batch{}, err
	}
	out, err := g.transform(ctx, s.features, "images", images, "features")
	if err != nil {
		return pipeline.Batch{}, err
	}
	return out[0], nil
}

// transform calls a signature with a batch. For each output it returns the batch
// with that as the data.
func (g *graph) transform(ctx context.Context, signature, input string, b pipeline.Batch, outputs ...string) ([]pipeline.Batch, error) {
	results, err := g.feed(ctx, signature, input, b, outputs...)
	if err != nil {
		return nil, err
	}
	defer tensor.Free(results...)
	b.Recycle = nil
	var out []pipeline.Batch
	for _, r := range results {
		b.Shape, b.Data = slices.Clone(r.Shape()), slices.Clone(tensor.View(r))
		out = append(out, b)
	}
	return out, nil
}

func (s *stage) HeadInputs(ctx context.Context, features pipeline.Batch) (pipeline.Batch, error) {
	if s.version < 3 {
		return features, s.older()
	}
	out, err := s.transform(ctx, signatureHeadInputs, "features", features, "inputs")
	if err != nil {
		return features, err
	}
	return out[0], nil
}

func (s *stage) Logits(ctx context.Context, features pipeline.Batch) ([]float32, error) {
	results, err := s.feed(ctx, "logits", "features", features, "logits")
	if err != nil {
		return nil, err
	}
	defer tensor.Free(results...)
	if err := s.checkLogits(results[0]); err != nil {
		return nil, err
	}
	return slices.Clone(tensor.View(results[0])), nil
}

// checkLogits checks that there is one for each class.
func (s *stage) checkLogits(r *tf.Tensor) error {
	if columns := r.Shape()[1]; columns != s.classes && s.classes > 0 || columns < 2 {
		return pipeline.Errorf(pipeline.BadModel, "model %s: returns logits of shape %v for %d classes", s.network.Dir, r.Shape(), s.classes)
	}
	return nil
}

// feed calls a signature with the data of a batch, which it recycles.
func (g *graph) feed(ctx context.Context, signature, input string, b pipeline.Batch, outputs ...string) ([]*tf.Tensor, error) {
	data, err := tensor.Floats(b.Shape, b.Data)
	if err != nil {
		return nil, err
	}
	if b.Recycle != nil {
		b.Recycle()
	}
	results, err := g.call(ctx, signature, feeds{input: data}, outputs...)
	for i, r := range results {
		if rows := r.Shape(); len(b.Shape) > 0 && (len(rows) == 0 || rows[0] != b.Shape[0]) {
			tensor.Free(results...)
			return nil, pipeline.Errorf(pipeline.BadModel, "signature %q: %s has shape %v for %d images", signature, outputs[i], rows, b.Shape[0])
		}
	}
	return results, err
}

func (s *stage) Step(ctx context.Context, b pipeline.Batch, h pipeline.Hyperparameters) (pipeline.Result, error) {
	optimizer := slices.Index(s.optimizers, h.Optimizer)
	if optimizer < 0 {
		return pipeline.Result{}, pipeline.Errorf(pipeline.BadUsage, "optimizer %q: this model has %v", h.Optimizer, s.optimizers)
	}
	n := len(b.Samples)
	if n == 0 || len(b.Weights) != n || len(b.Targets)%n != 0 {
		return pipeline.Result{}, fmt.Errorf("step: %d samples have %d weights and %d targets", n, len(b.Weights), len(b.Targets))
	}
	inputs, err := scalars(map[string]any{
		"lr":           float32(h.LearningRate),
		"optimizer":    int32(optimizer),
		"momentum":     float32(h.Momentum),
		"weight_decay": float32(h.WeightDecay),
		"l2":           float32(h.L2),
		"clip":         float32(h.ClipNorm),
		"dropout":      float32(h.Dropout),
	})
	if err != nil {
		return pipeline.Result{}, err
	}
	for name, part := range map[string]struct {
		shape  []int64
		values []float32
	}{
		"features": {b.Shape, b.Data},
		"targets":  {[]int64{int64(n), int64(len(b.Targets) / n)}, b.Targets},
		"weights":  {[]int64{int64(n)}, b.Weights},
	} {
		if inputs[name], err = tensor.Floats(part.shape, part.values); err != nil {
			return pipeline.Result{}, err
		}
	}
	results, err := s.train(ctx, b, inputs)
	if err != nil {
		return pipeline.Result{}, err
	}
	defer tensor.Free(results...)
	if rows := results[2].Shape()[0]; rows != int64(n) {
		return pipeline.Result{}, pipeline.Errorf(pipeline.BadModel, "model %s: returns %d logits for %d samples", s.network.Dir, rows, n)
	}
	if err := s.checkLogits(results[2]); err != nil {
		return pipeline.Result{}, err
	}
	result := pipeline.Result{
		Loss:    float64(tensor.View(results[0])[0]),
		Penalty: float64(tensor.View(results[1])[0]),
		Logits:  slices.Clone(tensor.View(results[2])),
		Finite:  results[3].Value().(bool),
	}
	if b.Share != nil {
		result.Correct = int(tensor.View(results[4])[0])
	}
	return result, nil
}

// scalars turns small Go values into tensors.
func scalars(values map[string]any) (feeds, error) {
	inputs := feeds{}
	for name, v := range values {
		t, err := tf.NewTensor(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		inputs[name] = t
	}
	return inputs, nil
}
