package metrics_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
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

func TestWriteTop(t *testing.T) {
	table := metrics.Table{Classes: []string{"cat", "=dog", "cow, brown"}, Predictions: []pipeline.Prediction{
		predict(-1, 0.1, 0.7, 0.2), predict(-1, 0.25, 0.5, 0.25),
	}}
	table.Predictions[0].Sample.ID, table.Predictions[1].Sample.ID = "a.jpg", "-b.jpg"
	for k, want := range map[int]string{
		1: "path,predicted,probability\na.jpg,'=dog,0.7\n'-b.jpg,'=dog,0.5\n",
		2: "path,predicted,probability,predicted_2,probability_2\na.jpg,'=dog,0.7,\"cow, brown\",0.2\n'-b.jpg,'=dog,0.5,cat,0.25\n",
		9: "path,predicted,probability,predicted_2,probability_2,predicted_3,probability_3\n" +
			"a.jpg,'=dog,0.7,\"cow, brown\",0.2,cat,0.1\n'-b.jpg,'=dog,0.5,cat,0.25,\"cow, brown\",0.25\n",
	} {
		var b strings.Builder
		if err := table.WriteTop(&b, metrics.Decision{}, k); err != nil || b.String() != want {
			t.Errorf("top %d: %q, %v, want %q", k, b.String(), err, want)
		}
	}
}
