package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
)

// Peers are the processes of a cluster that train one run together. Each reads some of
// the images, and all of them make the same steps. nil stands for one process alone.
type Peers interface {
	// Own lists those of n samples that are this process's: blocks of consecutive ones.
	Own(n, block int) []int
	// Exchange gives part to all processes and returns everyone's. All make the same
	// exchanges in the same order; what names them.
	Exchange(what string, part []byte) ([][]byte, error)
}

// predict predicts the validation part. The processes of a cluster share whole batches,
// so that each prediction is computed as in one process, and put them together.
func (f *fit) predict(ctx context.Context, validation Source, event Event) ([]Prediction, error) {
	if f.Peers == nil {
		return Together(evaluate(ctx, validation, Top{Stage: f.open}, f.Plan.BatchSize, f.Progress, event))
	}
	own := f.Peers.Own(validation.Len(), f.Plan.BatchSize)
	mine, err := Together(evaluate(ctx, some{validation, own}, Top{Stage: f.open}, f.Plan.BatchSize, f.Progress, event))
	if err != nil {
		return nil, err
	}
	var part []byte
	for i, p := range mine {
		part = binary.LittleEndian.AppendUint32(part, uint32(own[i]))
		for _, z := range p.Logits {
			part = binary.LittleEndian.AppendUint32(part, math.Float32bits(z))
		}
	}
	parts, err := f.Peers.Exchange(fmt.Sprintf("validation after step %d", f.State.Step), part)
	if err != nil {
		return nil, err
	}
	return gather(validation, f.Plan.Classes, parts)
}

// gather makes predictions of the logits that the processes of a cluster sent.
func gather(source Source, classes int, parts [][]byte) ([]Prediction, error) {
	all := make([]Prediction, source.Len())
	for _, part := range parts {
		for ; len(part) >= 4*(1+classes); part = part[4*(1+classes):] {
			i := int(binary.LittleEndian.Uint32(part))
			if i >= len(all) {
				return nil, fmt.Errorf("the cluster predicted image %d of %d", i, len(all))
			}
			logits := make([]float32, classes)
			for c := range logits {
				logits[c] = math.Float32frombits(binary.LittleEndian.Uint32(part[4*(1+c):]))
			}
			all[i] = Prediction{Sample: source.Sample(i), Logits: logits, Probabilities: Softmax(logits)}
		}
	}
	for i, p := range all {
		if p.Logits == nil {
			return nil, fmt.Errorf("no process of the cluster predicted %s", source.Sample(i).ID)
		}
	}
	return all, nil
}

// some is some samples of a source.
type some struct {
	Source
	index []int
}

func (s some) Len() int            { return len(s.index) }
func (s some) Sample(i int) Sample { return s.Source.Sample(s.index[i]) }

func (s some) Batch(ctx context.Context, epoch int, index []int) (Batch, error) {
	whole := make([]int, len(index))
	for i, at := range index {
		whole[i] = s.index[at]
	}
	return s.Source.Batch(ctx, epoch, whole)
}

// total returns the sums of values over the processes of a cluster, in their order.
func total(peers Peers, what string, values ...float64) ([]float64, error) {
	if peers == nil {
		return values, nil
	}
	var part []byte
	for _, v := range values {
		part = binary.LittleEndian.AppendUint64(part, math.Float64bits(v))
	}
	parts, err := peers.Exchange(what, part)
	sums := make([]float64, len(values))
	for _, part := range parts {
		if len(part) != 8*len(values) {
			return nil, fmt.Errorf("%s: a process of the cluster sent %d bytes", what, len(part))
		}
		for i := range sums {
			sums[i] += math.Float64frombits(binary.LittleEndian.Uint64(part[8*i:]))
		}
	}
	return sums, err
}
