package tftl

import (
	"strconv"

	"tftl/pipeline/rundir"
	"tftl/pipeline/shard"
	"tftl/savedmodels"
)

// ModelDigest identifies the model of a run, or a SavedModel, by its graph and weights.
func ModelDigest(path string) (string, error) {
	if rundir.Is(path) {
		path = rundir.Dir{Path: path}.Model()
	}
	return savedmodels.Digest(path)
}

// ShardHeader says what decides the model's answers apart from the images.
func (c *Classifier) ShardHeader(version string) (shard.Header, error) {
	return shardHeader(c.path, version, "the model's", c.options)
}

// ShardHeader says what decides the model's answers apart from the images.
func (m *Measured) ShardHeader(version string) (shard.Header, error) {
	graph := "the exported network's"
	if m.learnt == nil {
		graph = "the model's"
	}
	return shardHeader(m.path, version, graph, m.options)
}

func shardHeader(model, version, graph string, o Options) (h shard.Header, err error) {
	r, err := Resolve(o.Session)
	if err != nil {
		return h, err
	}
	digest, err := ModelDigest(model)
	if err != nil {
		return h, err
	}
	device := "cpu"
	if r.OnGPU() {
		device = "gpu"
	}
	return shard.Header{
		Facts:     map[string]string{"version of tftl": version, "version of TensorFlow": r.TensorFlow, shard.Model: digest, "graph": graph},
		Options:   map[string]string{"precision": string(r.Precision), "device": device, "model-output": o.Plain.Output, "rescale": rescale(o.Plain)},
		Processor: r.Instructions,
	}, nil
}

func rescale(p savedmodels.Plain) string {
	if p.Rescale == 0 {
		return ""
	}
	return strconv.FormatFloat(p.Rescale, 'g', -1, 64)
}
