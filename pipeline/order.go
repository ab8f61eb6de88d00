package pipeline

import (
	"math/bits"
	"math/rand/v2"
)

// Order returns the order in which an epoch visits n samples: a permutation that
// depends only on seed and epoch. It is the only shuffle, so that all runs with
// the same seed see the same batches.
func Order(seed uint64, epoch, n int) []int {
	random := rand.NewPCG(seed, uint64(epoch))
	order := make([]int, n)
	for i := range order {
		// Inside-out Fisher-Yates shuffle. The draw is written out because Go
		// guarantees the output of PCG but not that of rand.Perm.
		j, _ := bits.Mul64(random.Uint64(), uint64(i)+1)
		order[i] = order[j]
		order[j] = i
	}
	return order
}

// sequence returns 0 to n-1, the order for evaluation.
func sequence(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}
