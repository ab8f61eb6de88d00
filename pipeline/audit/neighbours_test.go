package audit

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tftl/pipeline"
)

// cloud is random vectors around one direction, like features after a ReLU.
func cloud(n, width int, seed uint64) Vectors {
	random := rand.New(rand.NewPCG(seed, 0))
	v := Vectors{make([]float32, n*width), width}
	for i := range v.Values {
		v.Values[i] = max(float32(random.NormFloat64())+0.5, 0)
	}
	return v
}

func samples(n int) []pipeline.Sample {
	list := make([]pipeline.Sample, n)
	for i := range list {
		list[i] = pipeline.Sample{ID: strconv.Itoa(i), Label: i % 2}
	}
	return list
}

// slowly computes the k nearest of a query in float64.
func slowly(query []float32, v Vectors, k, without int) []int32 {
	cosine := func(a, b []float32) float64 {
		var product, squareA, squareB float64
		for i := range a {
			x, y := float64(a[i]), float64(b[i])
			product, squareA, squareB = product+x*y, squareA+x*x, squareB+y*y
		}
		return product / math.Sqrt(squareA*squareB)
	}
	var all []int32
	for i := range v.Len() {
		if i != without {
			all = append(all, int32(i))
		}
	}
	slices.SortFunc(all, func(a, b int32) int {
		return cmp.Compare(cosine(query, v.row(int(b))), cosine(query, v.row(int(a))))
	})
	return all[:k]
}

func TestNeighboursAreTheNearest(t *testing.T) {
	// Sizes at which blocks are whole, cut off, and single vectors.
	for _, size := range [][2]int{{2, 3}, {5, 1024}, {33, 2048}, {64, 512}, {67, 512}, {131, 500}} {
		v, k := cloud(size[0], size[1], 1), min(7, size[0]-1)
		near, err := Neighbours(t.Context(), v, k)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.Len() {
			index, distance := near.Of(i)
			if want := slowly(v.row(i), v, k, i); !slices.Equal(index, want) {
				t.Errorf("%v: neighbours of %d: %v, want %v", size, i, index, want)
			}
			if !slices.IsSorted(distance) {
				t.Errorf("%v: distances of %d: %v", size, i, distance)
			}
		}
		queries := cloud(9, size[1], 2)
		if near, err = NeighboursAmong(t.Context(), queries, v, k); err != nil {
			t.Fatal(err)
		}
		for i := range queries.Len() {
			index, _ := near.Of(i)
			if want := slowly(queries.row(i), v, k, -1); !slices.Equal(index, want) {
				t.Errorf("%v: neighbours of query %d: %v, want %v", size, i, index, want)
			}
		}
	}
}

func TestNeighboursDoNotDependOnProcessors(t *testing.T) {
	v := cloud(300, 512, 1)
	copy(v.row(299), v.row(0)) // equal distances
	copy(v.row(150), v.row(0))
	var first Nearest
	for _, processors := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(processors)
		near, err := Neighbours(t.Context(), v, 10)
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if processors == 1 {
			first = near
		} else if !reflect.DeepEqual(near, first) {
			t.Errorf("%d processors: other neighbours", processors)
		}
	}
	index, distance := first.Of(0)
	if index[0] != 150 || index[1] != 299 || distance[0] > 1e-6 {
		t.Errorf("copies are %v at %v", index[:2], distance[:2])
	}
}

func TestFewOrStrangeVectors(t *testing.T) {
	for n, want := range []int{0, 0, 1, 2} {
		near, err := Neighbours(t.Context(), cloud(n, 4, 1), 10)
		if err != nil || near.K != want {
			t.Errorf("%d vectors: %d neighbours, error %v", n, near.K, err)
		}
	}
	for _, empty := range [][2]int{{0, 5}, {5, 0}, {0, 0}} {
		near, err := NeighboursAmong(t.Context(), cloud(empty[0], 4, 1), cloud(empty[1], 4, 1), 3)
		if err != nil || near.K != 0 || len(near.Index) != 0 {
			t.Errorf("%d queries among %d: %v, error %v", empty[0], empty[1], near, err)
		}
	}
	v := Vectors{[]float32{1, 0, 0, 0, 2, 0}, 2} // the second has no direction
	near, err := Neighbours(t.Context(), v, 2)
	if err != nil || !slices.Equal(near.Index, []int32{2, 1, 0, 2, 0, 1}) || !slices.Equal(near.Distance, []float32{0, 1, 1, 1, 0, 1}) {
		t.Errorf("%v, error %v", near, err)
	}
	v.Values[3] = float32(math.Inf(1))
	if _, err := Neighbours(t.Context(), v, 2); err == nil || !strings.Contains(err.Error(), "image 1") {
		t.Errorf("error %v", err)
	}
	if _, err := NeighboursAmong(t.Context(), cloud(2, 3, 1), cloud(2, 4, 1), 1); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Neighbours(ctx, cloud(20, 4, 1), 2); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOutliersAreFarFromAllOthers(t *testing.T) {
	v := cloud(400, 64, 1)
	for i := range v.row(123) { // another direction altogether
		v.row(123)[i] = float32(i%3) - 1
	}
	found, err := Outliers(t.Context(), v, samples(400), []string{"cat", "dog"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 || len(found) > 3 {
		t.Fatalf("%d outliers: %+v", len(found), found)
	}
	f := found[0]
	if f.Image != "123" || f.Kind != Outlier || f.Label != "dog" || f.Score < 0.5 || len(f.Others) != 1 || !strings.HasPrefix(f.Detail, "mean distance") {
		t.Errorf("first outlier %+v", f)
	}
}

func TestCleanDataHaveFewOutliers(t *testing.T) {
	found, images := 0, 0
	for seed := range uint64(10) {
		one := cloud(500, 64, seed)
		outliers, err := Outliers(t.Context(), one, samples(500), nil)
		if err != nil {
			t.Fatal(err)
		}
		found, images = found+len(outliers), images+500
	}
	if found > images/200 {
		t.Errorf("%d of %d images are outliers", found, images)
	}
}

func TestCopiesAreNoOutliers(t *testing.T) {
	v := cloud(60, 64, 1)
	for i := 1; i < 60; i++ { // equal up to rounding
		copy(v.row(i), v.row(0))
		v.row(i)[i] *= 1 + 1e-5
	}
	found, err := Outliers(t.Context(), v, samples(60), nil)
	if err != nil || len(found) > 0 {
		t.Errorf("found %+v, error %v", found, err)
	}
}
