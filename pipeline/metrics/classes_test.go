package metrics_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tftl/pipeline/metrics"
)

func TestRankClasses(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		decision metrics.Decision
		row      []float32
		want     []int
	}{
		"by probability":         {metrics.Decision{}, []float32{0.2, 0.5, 0.3}, []int{1, 2, 0}},
		"equal ones":             {metrics.Decision{}, []float32{0.25, 0.25, 0.25, 0.25}, []int{0, 1, 2, 3}},
		"below the threshold":    {metrics.Decision{Threshold: 0.7}, []float32{0.4, 0.6}, []int{0, 1}},
		"at the threshold":       {metrics.Decision{Threshold: 0.3}, []float32{0.7, 0.3}, []int{1, 0}},
		"what is not a number":   {metrics.Decision{}, []float32{0.2, nan, 0.8}, []int{1, 2, 0}},
		"one class and no other": {metrics.Decision{}, []float32{1}, []int{0}},
	} {
		if got := c.decision.RankClasses(c.row); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Every class is listed once, the predicted one first, the rest by falling
// probability.
func TestRankClassesListsEachOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		row := make([]float32, 2+random.IntN(6))
		for i := range row {
			row[i] = float32(random.IntN(5)) / 5 // with ties
		}
		d := metrics.Decision{Threshold: float64(random.IntN(3)) / 3}
		order := d.RankClasses(row)
		if order[0] != d.Class(row) {
			t.Fatalf("%v of %v begins with %d", order, row, order[0])
		}
		rest := order[1:]
		if !slices.IsSortedFunc(rest, func(a, b int) int {
			if row[a] == row[b] {
				return a - b
			}
			if row[a] > row[b] {
				return -1
			}
			return 1
		}) {
			t.Fatalf("%v of %v does not fall", order, row)
		}
		slices.Sort(order)
		for i, class := range order {
			if class != i {
				t.Fatalf("%v is not an order of %d classes", order, len(row))
			}
		}
	}
}
