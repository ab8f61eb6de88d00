package pipeline

import (
	"fmt"
	"slices"
	"testing"
)

// uneven returns shuffled labels, with so many of each class.
func uneven(counts ...int) []int {
	var labels []int
	for label, count := range counts {
		labels = append(labels, slices.Repeat([]int{label}, count)...)
	}
	mixed := make([]int, len(labels))
	for i, at := range Order(9, 9, len(labels)) {
		mixed[i] = labels[at]
	}
	return mixed
}

func TestBalancedDrawsEachClassEquallyOften(t *testing.T) {
	for _, c := range []struct {
		counts []int
		each   int
	}{
		{[]int{4, 4}, 4},
		{[]int{1, 20, 300}, 107},
		{[]int{3, 0, 8}, 6}, // a class without images is left out; 5.5 is rounded up
		{[]int{3, 2, 2}, 2}, // 2.33 is rounded down
		{[]int{7}, 7},
	} {
		t.Run(fmt.Sprint(c.counts), func(t *testing.T) {
			labels := uneven(c.counts...)
			b := NewBalanced(5, labels)
			seen := make([]int, len(labels))
			for epoch := 1; epoch <= 7; epoch++ {
				samples, times := b.Draws(epoch, sequence(b.Len()))
				perClass := make([]int, len(c.counts))
				for i, s := range samples {
					perClass[labels[s]]++
					if seen[s]++; seen[s] != times[i] {
						t.Fatalf("epoch %d: sample %d came %d times, Draws says %d", epoch, s, seen[s], times[i])
					}
				}
				for label, count := range c.counts {
					if want := min(count, 1) * c.each; perClass[label] != want {
						t.Errorf("epoch %d: class %d came %d times, want %d", epoch, label, perClass[label], want)
					}
				}
				// No sample comes again before all others of its class have come.
				for label := range c.counts {
					var of []int
					for s, l := range labels {
						if l == label {
							of = append(of, seen[s])
						}
					}
					if len(of) > 0 && slices.Max(of)-slices.Min(of) > 1 {
						t.Errorf("epoch %d: samples of class %d came %v times", epoch, label, of)
					}
				}
			}
		})
	}
}

// A resumed run asks for any part of any epoch, and gets the same draws.
func TestBalancedDrawsDependOnEpochAndPositionOnly(t *testing.T) {
	b := NewBalanced(1, uneven(3, 9, 14))
	for epoch := 1; epoch <= 9; epoch++ {
		whole, _ := b.Draws(epoch, sequence(b.Len()))
		order := Order(1, epoch, b.Len())
		for i := range order {
			rest, _ := b.Draws(epoch, order[i:])
			for k, s := range rest {
				if s != whole[order[i+k]] {
					t.Fatalf("epoch %d: draw %d is sample %d or %d", epoch, order[i+k], s, whole[order[i+k]])
				}
			}
		}
	}
}

func TestBalancedShufflesClassesDifferently(t *testing.T) {
	labels := append(slices.Repeat([]int{0}, 12), slices.Repeat([]int{1}, 12)...)
	first, _ := NewBalanced(1, labels).Draws(1, sequence(24))
	other, _ := NewBalanced(2, labels).Draws(1, sequence(24))
	second := slices.Clone(first[12:])
	for i := range second {
		second[i] -= 12
	}
	if slices.Equal(first[:12], second) || slices.Equal(first, other) {
		t.Errorf("classes in the same order: %v; with another seed %v", first, other)
	}
}

// If these changed, a resumed run would see different batches than before.
func TestBalancedNeverChanges(t *testing.T) {
	samples, times := NewBalanced(1, []int{0, 0, 1, 1, 1, 1, 1, 1}).Draws(3, []int{0, 1, 2, 3, 4, 5, 6, 7})
	if want := []int{0, 1, 0, 1, 5, 7, 6, 2}; !slices.Equal(samples, want) {
		t.Errorf("samples %v, want %v", samples, want)
	}
	if want := []int{5, 5, 6, 6, 2, 2, 2, 2}; !slices.Equal(times, want) {
		t.Errorf("times %v, want %v", times, want)
	}
}
