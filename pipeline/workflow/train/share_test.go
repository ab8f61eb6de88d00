package train

import (
	"math/rand/v2"
	"slices"
	"testing"

	"tftl/pipeline"
)

// The shares of a batch are together what one process makes of it, mixed or not.
func TestSharesMakeUpTheBatch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		images, tasks := 1+random.IntN(40), 1+random.IntN(5)
		index := random.Perm(images)[:1+random.IntN(images)]
		m := mixer{seed: 7}
		if random.IntN(2) == 0 {
			m.mixup = 0.4
		}
		whole := batchOf(index)
		m.apply(make([]int, len(index)), &whole)
		seen := make([]int, len(index))
		for task := range tasks {
			s := &shares{make([]bool, images)}
			for i := range s.owns {
				s.owns[i] = i%tasks == task
			}
			part := s.of(index, m.mixes())
			b := batchOf(pick(index, part.read))
			m.apply(make([]int, len(part.read)), &b)
			part.trim(&b)
			if b.Share.Of != len(index) || b.Whole() != len(index) || len(b.Share.Rows) != len(b.Samples) || int(b.Shape[0]) != len(b.Samples) {
				t.Fatalf("share %+v of a batch of %d has %d samples, shape %v", b.Share, len(index), len(b.Samples), b.Shape)
			}
			for i, row := range b.Share.Rows {
				if row < 0 {
					continue
				}
				seen[row]++
				if b.Samples[i].ID != whole.Samples[row].ID || !slices.Equal(b.Data[2*i:2*i+2], whole.Data[2*row:2*row+2]) {
					t.Fatalf("row %d of %v: %v %v, want %v %v", row, index, b.Samples[i], b.Data[2*i:2*i+2], whole.Samples[row], whole.Data[2*row:2*row+2])
				}
				if m.mixes() && b.Mixed[i] != whole.Mixed[row] {
					t.Fatalf("row %d is mixed with %+v, want %+v", row, b.Mixed[i], whole.Mixed[row])
				}
			}
		}
		if slices.ContainsFunc(seen, func(n int) bool { return n != 1 }) {
			t.Fatalf("%d tasks took the samples of a batch of %d so often: %v", tasks, len(index), seen)
		}
	}
}

func batchOf(index []int) pipeline.Batch {
	b := pipeline.Batch{Shape: []int64{int64(len(index)), 2}}
	for _, i := range index {
		b.Samples = append(b.Samples, pipeline.Sample{ID: string(rune('a' + i))})
		b.Data = append(b.Data, float32(i), float32(i*i))
	}
	return b
}
