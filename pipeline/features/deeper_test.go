package features

import (
	"context"
	"crypto/sha256"
	"slices"
	"testing"

	"tftl/pipeline"
)

// deeper is a source whose images pass n up to a deeper cut, and top from there.
func deeper(a *album, n, top *network, deep, own *Store) *Source {
	n.shape, top.shape = []int64{3, 2}, []int64{6}
	s := newSource(a, n, own)
	s.Deeper = &Deeper{Compute: n.compute, Store: deep}
	s.Compute = func(_ context.Context, b pipeline.Batch) (pipeline.Batch, error) {
		top.mu.Lock()
		defer top.mu.Unlock()
		count := len(b.Data) / 6
		top.computed += count
		out := pipeline.Batch{Samples: b.Samples, Shape: []int64{int64(count), 6}}
		for _, v := range b.Data {
			out.Data = append(out.Data, v+1)
		}
		return out, nil
	}
	return s
}

func TestWarmKeepsTheDeeperCutAsItGoes(t *testing.T) {
	a, dir := newAlbum(23), t.TempDir()
	n, top := &network{}, &network{}
	s := deeper(a, n, top, open(t, dir, "deeper"), open(t, dir, space))
	warm(t, s, 5)
	if n.computed != 23 || top.computed != 23 || len(n.decoded) != 23 {
		t.Errorf("%d and %d computed, %d decoded, want each image once", n.computed, top.computed, len(n.decoded))
	}
	check := func(s *Source) {
		t.Helper()
		got, err := s.Batch(t.Context(), 1, []int{22, 7, 0})
		if err != nil {
			t.Fatal(err)
		}
		var expect []float32
		for _, i := range []int{22, 7, 0} {
			for _, v := range want(a.images[i]) {
				expect = append(expect, v+1)
			}
		}
		if !slices.Equal(got.Data, expect) || !slices.Equal(got.Shape, []int64{3, 6}) {
			t.Errorf("got %v of shape %v, want %v", got.Data, got.Shape, expect)
		}
	}
	check(s)

	// The deeper cut has all that it needs.
	next := &network{}
	source := newSource(a, next, open(t, dir, "deeper"))
	next.shape = []int64{3, 2}
	if _, cached := warm(t, source, 5); cached != 23 || next.computed != 0 {
		t.Errorf("%d cached, %d computed at the deeper cut", cached, next.computed)
	}

	// From there the shallower one needs no pixels.
	n, top = &network{}, &network{}
	s = deeper(a, n, top, open(t, dir, "deeper"), open(t, dir, "another"))
	warm(t, s, 5)
	check(s)
	if n.computed != 0 || len(n.decoded) != 0 || top.computed != 23 {
		t.Errorf("%d and %d computed, %d decoded, want only the upper part", n.computed, top.computed, len(n.decoded))
	}
}

func TestDeeperCutThatDoesNotFit(t *testing.T) {
	record := int64(recordHeader + 4*6)
	for name, deep := range map[string]*Store{"full": openWith(t, Options{MaxBytes: 3 * record}, "deeper"), "none": nil} {
		a, n, top := newAlbum(10), &network{}, &network{}
		s := deeper(a, n, top, deep, open(t, "", space))
		if done, _ := warm(t, s, 2); done != 10 || n.computed != 10 || s.Store.Stats().Stored != 10 {
			t.Errorf("%s: %d done, %d computed, %d stored", name, done, n.computed, s.Store.Stats().Stored)
		}
		if missing, unread := s.Missing(); missing != 0 || unread != 0 {
			t.Errorf("%s: %d missing, %d unread", name, missing, unread)
		}
	}
}

// A damaged record of the deeper cut is computed again from pixels.
func TestDamagedDeeperCut(t *testing.T) {
	a, dir := newAlbum(4), t.TempDir()
	deep := open(t, dir, "deeper")
	warm(t, deeper(a, &network{}, &network{}, deep, open(t, "", space)), 4)
	deep.index[sha256.Sum256([]byte(a.images[2]))].sum++
	n, top := &network{}, &network{}
	s := deeper(a, n, top, deep, open(t, "", space))
	warm(t, s, 4)
	if n.computed != 4 || top.computed != 4 || deep.Stats().Damaged != 1 {
		t.Errorf("%d and %d computed, %+v", n.computed, top.computed, deep.Stats())
	}
}
