package train

import (
	"fmt"
	"slices"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
	"tftl/pipeline/rundir"
)

// The values of rundir.Training.Sampler. An empty one is ShuffleSampler.
const (
	ShuffleSampler  = "shuffle"
	BalancedSampler = "balanced"
)

// checkSampling returns an error if images cannot be drawn and mixed like that.
func checkSampling(t rundir.Training) error {
	if !slices.Contains([]string{"", ShuffleSampler, BalancedSampler}, t.Sampler) {
		return pipeline.Errorf(pipeline.BadUsage, "%s %q: must be shuffle or balanced", pipeline.Option("sampler"), t.Sampler)
	}
	for _, mix := range []struct {
		name  pipeline.Option
		alpha float64
	}{{"mixup", t.MixUp}, {"cutmix", t.CutMix}} {
		if mix.alpha != 0 && !(mix.alpha >= leastAlpha && mix.alpha <= mostAlpha) {
			return bad(mix.name, mix.alpha, fmt.Sprintf("must be 0, or from %v to %v", leastAlpha, mostAlpha))
		}
	}
	if t.CutMix > 0 && t.Augmentation.Copies > 0 {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %v: needs the pixels, but %s %d caches features", pipeline.Option("cutmix"), t.CutMix, pipeline.Option("augment-copies"), t.Augmentation.Copies)
		return pipeline.WithHint(err, "%s can mix cached features", pipeline.Option("mixup"))
	}
	return nil
}

// balancedDraws returns the draws of the balanced sampler from a training part.
func balancedDraws(seed uint64, set *dataset.Set) pipeline.Balanced {
	labels := make([]int, set.Train.Len())
	for i := range labels {
		labels[i] = set.Train.Sample(i).Label
	}
	return pipeline.NewBalanced(seed, labels)
}

// epochLength returns how many images an epoch trains on.
func epochLength(t rundir.Training, set *dataset.Set) int {
	if t.Sampler == BalancedSampler {
		return balancedDraws(0, set).Len()
	}
	return set.Train.Len()
}

// describeBalance says how often images of the largest and of the smallest class
// come per epoch, or warns if the classes are imbalanced and nothing is done about
// it. Opening the data has already warned of classes missing in a part.
func (p *Prepared) describeBalance() {
	t := p.Config.Training
	counts := check.Counts(p.Set)
	if t.Sampler == BalancedSampler {
		p.describeSampler(counts.Classes)
		return
	}
	for _, f := range counts.Findings {
		if f.Kind == check.Imbalance && t.ClassWeights == nil {
			p.env.Warn("%s (%s balanced, or %s balanced)", f.Detail, pipeline.Option("class-weights"), pipeline.Option("sampler"))
		}
	}
}

func (p *Prepared) describeSampler(classes []check.Class) {
	if p.Config.Training.ClassWeights != nil {
		p.env.Warn("%s balanced and %s both correct for unequal classes, so rare classes count too much: use one of them",
			pipeline.Option("sampler"), pipeline.Option("class-weights"))
	}
	classes = slices.DeleteFunc(slices.Clone(classes), func(c check.Class) bool { return c.Images[0] == 0 })
	fewer := func(a, b check.Class) int { return a.Images[0] - b.Images[0] }
	large, small := slices.MaxFunc(classes, fewer), slices.MinFunc(classes, fewer)
	draws := pipeline.DrawsPerClass(p.Set.Train.Len(), len(classes))
	times := func(c check.Class) string {
		times := float64(draws) / float64(c.Images[0])
		if times < 10 {
			return fmt.Sprintf("%.2g", times)
		}
		return fmt.Sprintf("%.0f", times)
	}
	p.env.Say("balanced sampler: %d draws of each class per epoch, so each image of %s (%d) comes %s times, each of %s (%d) %s times",
		draws, large.Name, large.Images[0], times(large), small.Name, small.Images[0], times(small))
}
