package features

import (
	"context"
	"errors"
	"slices"
	"testing"

	"tftl/pipeline"
)

// fickle returns activations that depend on the image and, as with TensorFlow's
// kernels, on the number of images.
func fickle(sizes *[]int) Compute {
	return func(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) {
		n := len(images.Samples)
		*sizes = append(*sizes, n)
		out := pipeline.Batch{Samples: images.Samples, Shape: []int64{int64(n), 2}}
		for i := range n {
			out.Data = append(out.Data, images.Data[i*3]+float32(n)/1000, images.Data[i*3+2])
		}
		return out, nil
	}
}

func pixels(n int) pipeline.Batch {
	b := pipeline.Batch{Shape: []int64{int64(n), 1, 1, 3}}
	for i := range n {
		b.Samples = append(b.Samples, pipeline.Sample{ID: string(rune('a' + i)), Label: i})
		b.Data = append(b.Data, float32(i), 0, float32(-i))
	}
	return b
}

func TestFilledGivesAnImageTheSameInAnyBatch(t *testing.T) {
	var sizes []int
	compute := Filled(fickle(&sizes), 4)
	for n := 1; n <= 11; n++ {
		sizes = nil
		recycled := 0
		images := pixels(n)
		images.Recycle = func() { recycled++ }
		given := slices.Clone(images.Data)
		out, err := compute(t.Context(), images)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(sizes, func(size int) bool { return size != 4 }) || len(sizes) != (n+3)/4 {
			t.Errorf("%d images were computed in batches of %v", n, sizes)
		}
		if !slices.Equal(out.Shape, []int64{int64(n), 2}) || len(out.Data) != 2*n || !slices.Equal(out.Samples, images.Samples) {
			t.Fatalf("%d images gave %+v", n, out)
		}
		for i := range n {
			if got, want := out.Data[2*i:2*i+2], []float32{float32(i) + 0.004, float32(-i)}; !slices.Equal(got, want) {
				t.Errorf("image %d of %d: %v, want %v", i, n, got, want)
			}
		}
		if !slices.Equal(images.Data, given) || n != 4 && recycled != 1 {
			t.Errorf("%d images: recycled %d times", n, recycled)
		}
	}
}

func TestFilledPassesErrorsOn(t *testing.T) {
	want := errors.New("no")
	_, err := Filled(func(context.Context, pipeline.Batch) (pipeline.Batch, error) { return pipeline.Batch{}, want }, 4)(t.Context(), pixels(5))
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	_, err = Filled(func(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) { return pixels(3), nil }, 4)(t.Context(), pixels(5))
	if err == nil {
		t.Error("activations of three images pass for those of four")
	}
}
