package pipeline

import (
	"math/rand/v2"
	"slices"
)

// Balanced draws the samples of an epoch so that each class comes equally often,
// as many in all as there are samples. A class that has more samples than draws
// goes on where the last epoch ended, so none of them comes twice before all
// others came once.
//
// Its draws have a fixed order, class by class. Order shuffles them, as it does
// samples.
type Balanced struct {
	seed    uint64
	classes [][]int // samples of each class that has any
	each    int     // draws of each class per epoch
}

// NewBalanced returns the draws for samples with these labels.
func NewBalanced(seed uint64, labels []int) Balanced {
	var classes [][]int
	for i, label := range labels {
		for label >= len(classes) {
			classes = append(classes, nil)
		}
		classes[label] = append(classes[label], i)
	}
	classes = slices.DeleteFunc(classes, func(class []int) bool { return len(class) == 0 })
	return Balanced{seed, classes, DrawsPerClass(len(labels), len(classes))}
}

// DrawsPerClass returns how often Balanced draws each class per epoch: the number
// of samples divided by that of classes, rounded, and at least 1.
func DrawsPerClass(samples, classes int) int {
	if classes == 0 {
		return 0
	}
	return max((2*samples+classes)/(2*classes), 1)
}

// Len is the number of draws per epoch.
func (b Balanced) Len() int { return b.each * len(b.classes) }

// Draws returns the samples of an epoch's draws, and how often each was drawn by
// then, from 1 over all epochs. It is a pure function, so a run can resume at any
// draw.
func (b Balanced) Draws(epoch int, draws []int) (samples, times []int) {
	type round struct{ class, time int }
	orders := map[round][]int{}
	samples, times = make([]int, len(draws)), make([]int, len(draws))
	for i, draw := range draws {
		class := draw / b.each
		members := b.classes[class]
		at := (epoch-1)*b.each + draw%b.each // in the class's endless sequence of shuffled rounds
		r := round{class, at/len(members) + 1}
		if orders[r] == nil {
			// Classes of the same size must not have the same order.
			seed := rand.NewPCG(b.seed, uint64(class)).Uint64()
			orders[r] = Order(seed, r.time, len(members))
		}
		samples[i], times[i] = members[orders[r][at%len(members)]], r.time
	}
	return samples, times
}
