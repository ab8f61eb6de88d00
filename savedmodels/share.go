package savedmodels

import (
	"context"
	"slices"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/pipeline"
)

// train calls the signature of a step, alone or with the other processes of the
// cluster.
func (s *stage) train(ctx context.Context, b pipeline.Batch, inputs feeds) ([]*tf.Tensor, error) {
	outputs := []string{"loss", "penalty", "logits", "finite"}
	if b.Share == nil {
		return s.call(ctx, signatureStep, inputs, outputs...)
	}
	server := s.network.Runtime.server
	if server == nil {
		return nil, pipeline.Errorf(pipeline.Other, "a share of a batch needs a cluster")
	}
	if s.version < 5 {
		return nil, pipeline.WithHint(
			pipeline.Errorf(pipeline.BadModel, "model %s: has version %d of the training contract, whose steps cannot be shared by the processes of a cluster", s.network.Dir, s.version),
			"export it again")
	}
	rows := make([]int32, len(b.Share.Rows))
	for i, row := range b.Share.Rows {
		rows[i] = int32(row)
	}
	share, err := scalars(map[string]any{
		"rows": rows, "examples": int32(b.Share.Of), "workers": int32(server.size), "instance": s.instance(),
	})
	if err != nil {
		return nil, err
	}
	for name, t := range share {
		inputs[name] = t
	}
	graph := s.graph // which close leaves alone if the call is not over
	results, err := await(server, func() ([]*tf.Tensor, error) {
		return graph.call(ctx, signatureShared, inputs, append(outputs, "correct")...)
	})
	if err != nil && server.over() {
		s.abandoned = true
		return nil, err
	}
	if err != nil {
		return nil, pipeline.Errorf(pipeline.PeerLost, "%w", err)
	}
	return results, nil
}

// instance tells the collective operation of this stage from those of others, whose
// gradients have other sizes.
func (s *stage) instance() int32 {
	return 1 + int32(slices.IndexFunc(s.network.Description.Stages, func(i StageInfo) bool { return i.Name == s.info.Name }))
}
