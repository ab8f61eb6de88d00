package features

import (
	"context"
	"slices"
	"testing"

	"tftl/pipeline"
)

// varied is a Source whose Decode adds to an image's pixels what Variant says.
func varied(a *album, n *network, s *Store, variant string, add float32) *Source {
	source := newSource(a, n, s)
	source.Variant = func(pipeline.Sample) string { return variant }
	source.Decode = func(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
		pixels, err := n.decode(ctx, encoded, samples)
		for i := range pixels.Data {
			pixels.Data[i] += add
		}
		return pixels, err
	}
	return source
}

func TestVariantsAreCachedApart(t *testing.T) {
	a, n := newAlbum(5), &network{}
	store, err := Open(Options{}, "space")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	index := []int{3, 0, 4}
	batches := map[string][]float32{}
	for round := range 2 {
		n.computed = 0
		for variant, add := range map[string]float32{"": 0, "one more": 1, "two more": 2} {
			source := varied(a, n, store, variant, add)
			if err := source.Warm(t.Context(), 2, nil); err != nil {
				t.Fatal(err)
			}
			batch, err := source.Batch(t.Context(), 1, index)
			if err != nil {
				t.Fatal(err)
			}
			first := expected(firstPixel(a, index[0]) + add)
			if !slices.Equal(batch.Data[:6], first) {
				t.Errorf("variant %q has %v, want %v", variant, batch.Data[:6], first)
			}
			batches[variant] = batch.Data
		}
		if want := []int{15, 0}[round]; n.computed != want {
			t.Errorf("round %d computed %d images, want %d", round, n.computed, want)
		}
	}
	// An empty variant is the image itself.
	n.computed = 0
	plain, err := newSource(a, n, store).Batch(t.Context(), 1, index)
	if err != nil || n.computed != 0 || !slices.Equal(plain.Data, batches[""]) {
		t.Errorf("without variants: error %v, %d computed, %v", err, n.computed, plain.Data)
	}
}

// firstPixel is the first pixel of an unchanged image.
func firstPixel(a *album, i int) float32 {
	pixels, _ := (&network{}).decode(context.Background(), [][]byte{[]byte(a.images[i])}, make([]pipeline.Sample, 1))
	return pixels.Data[0]
}
