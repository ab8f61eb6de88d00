package pipeline

import (
	"fmt"
	"slices"
	"testing"
)

// If these changed, a resumed run would see different batches than before, and
// runs of earlier versions could not be repeated.
func TestOrderNeverChanges(t *testing.T) {
	for _, test := range []struct {
		seed     uint64
		epoch, n int
		want     []int
	}{
		{0, 0, 10, []int{5, 4, 1, 7, 3, 6, 8, 2, 9, 0}},
		{1, 1, 10, []int{7, 4, 9, 3, 8, 6, 5, 1, 0, 2}},
		{1, 2, 10, []int{5, 9, 2, 7, 1, 0, 3, 6, 4, 8}},
		{2, 1, 10, []int{4, 3, 6, 8, 7, 0, 5, 1, 2, 9}},
		{1 << 63, 1 << 20, 12, []int{2, 9, 7, 6, 5, 3, 10, 1, 0, 8, 11, 4}},
		{1, 1, 1, []int{0}},
		{1, 1, 0, []int{}},
	} {
		if got := Order(test.seed, test.epoch, test.n); !slices.Equal(got, test.want) {
			t.Errorf("Order(%d, %d, %d) = %v, want %v", test.seed, test.epoch, test.n, got, test.want)
		}
	}
}

func TestOrderIsAPermutation(t *testing.T) {
	for _, n := range []int{2, 3, 17, 1000} {
		for epoch := range 5 {
			order := Order(3, epoch, n)
			slices.Sort(order)
			if !slices.Equal(order, sequence(n)) {
				t.Errorf("n %d, epoch %d: sorted it is %v", n, epoch, order)
			}
		}
	}
}

func TestOrderFavoursNone(t *testing.T) {
	seen := map[string]int{}
	const draws = 6000
	for epoch := range draws {
		seen[fmt.Sprint(Order(5, epoch, 3))]++
	}
	for order, count := range seen {
		if count < draws/6*8/10 || count > draws/6*12/10 {
			t.Errorf("%s came %d times of %d", order, count, draws)
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d of the 6 orders of 3 were seen", len(seen))
	}
}
