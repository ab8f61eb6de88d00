package train

import (
	"context"
	"slices"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// reopened is a stage that stays open between trials.
type reopened struct{ pipeline.Stage }

// Open implements pipeline.Opener.
func (r reopened) Open(context.Context, string) (pipeline.Stage, error) { return r, nil }

// Close leaves the stage open.
func (reopened) Close() error { return nil }

// unrecorded is the pipeline.Recorder of a trial, of which only the history is
// used.
type unrecorded struct{}

func (unrecorded) Epoch(pipeline.Epoch) error                                   { return nil }
func (unrecorded) Save(string, pipeline.State, func(prefix string) error) error { return nil }
func (unrecorded) Checkpoint(string) string                                     { return "" }

// subset is some images of an Encoded.
type subset struct {
	pipeline.Encoded
	index []int
}

func (s subset) Len() int                     { return len(s.index) }
func (s subset) Sample(i int) pipeline.Sample { return s.Encoded.Sample(s.index[i]) }
func (s subset) Bytes(i int) ([]byte, error)  { return s.Encoded.Bytes(s.index[i]) }

// folds divides the training and the validation part together into folds. Each
// split holds one of them out.
func (p *Prepared) folds(in *inputs, stage pipeline.Stage) ([]split, error) {
	k := p.Config.Training.Tune.Folds
	if k == 0 {
		return nil, nil
	}
	fold, err := p.Set.Folds(k, dataset.Options{Exact: true, Seed: p.Config.Seed})
	if err != nil {
		return nil, err
	}
	all, err := p.Set.Part(pipeline.AllParts)
	if err != nil {
		return nil, err
	}
	tested := map[string]bool{}
	for i := range p.Set.Test.Len() {
		tested[p.Set.Test.Sample(i).ID] = true
	}
	held, rest := make([][]int, k), make([][]int, k)
	for i := range all.Len() {
		id := all.Sample(i).ID
		if tested[id] {
			continue
		}
		for f := range k {
			if fold[id] == f {
				held[f] = append(held[f], i)
			} else {
				rest[f] = append(rest[f], i)
			}
		}
	}
	if slices.ContainsFunc(held, func(index []int) bool { return len(index) == 0 }) {
		return nil, bad(optionFolds, k, "there are too few images for so many folds")
	}
	splits := make([]split, k)
	for f := range splits {
		splits[f] = split{in.features(stage, subset{all, rest[f]}), in.features(stage, subset{all, held[f]})}
	}
	return splits, nil
}
