package pipeline

import (
	"math/bits"
	"math/rand/v2"
)

// Order is the order in which an epoch visits n samples: a permutation that
// follows from seed and epoch alone. It is the only shuffle, so that every run
// of one seed sees the same batches.
func Order(seed uint64, epoch, n int) []int {
	random := rand.NewPCG(seed, uint64(epoch))
	order := make([]int, n)
	for i := range order {
		// Fisher and Yates, inside out. The draw is written out, for Go promises
		// PCG's stream but not what rand.Perm makes of it.
		j, _ := bits.Mul64(random.Uint64(), uint64(i)+1)
		order[i] = order[j]
		order[j] = i
	}
	return order
}

// sequence is 0 to n-1, the order in which nothing is trained.
func sequence(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}
