package main

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

const testEpochs = 4

// averages stands for a network whose frozen part is each row's sum. It
// counts the images that passed it.
type averages struct {
	pipeline.Stage
	mu     sync.Mutex
	passed int
}

func (a *averages) Features(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passed += len(images.Samples)
	row := int(images.Shape[2] * images.Shape[3])
	out := pipeline.Batch{Samples: images.Samples, Shape: images.Shape[:2]}
	for values := range slices.Chunk(images.Data, row) {
		var sum float32
		for _, v := range values {
			sum += v
		}
		out.Data = append(out.Data, sum)
	}
	return out, nil
}

// augmentedInputs are those of a run over build/testdata/photos.
func augmentedInputs(t *testing.T, copies, workers int, cache cacheOptions) *inputs {
	t.Helper()
	set, err := dataset.Open("../../build/testdata/photos", dataset.Options{})
	if err != nil {
		t.Fatalf("%v (testdata/make.py makes it)", err)
	}
	in := savedmodels.Input{Size: [2]int{24, 20}, Interpolation: "bilinear"}
	decoder, err := newDecoder(in, workers)
	if err != nil {
		t.Fatal(err)
	}
	o := fitOptions{cache: cache, workers: workers}
	o.config.Seed = 3
	o.config.Training.Augmentation = pipeline.Augmentation{
		HorizontalFlip: true, RotationRange: 30, ZoomRange: pipeline.Factors{0.8, 1.2}, ContrastRange: pipeline.Factors{0.5, 1.5},
		FillMode: "nearest", Copies: copies,
	}
	o.config.Training.Stages = []rundir.Stage{{Name: "head", Epochs: testEpochs}}
	t.Cleanup(func() { decoder.Close() })
	inputs := newInputs(terminal{out: io.Discard, err: io.Discard}, o, &savedmodels.Model{Description: &savedmodels.Description{Input: in}}, set, decoder, nil)
	t.Cleanup(inputs.close)
	return inputs
}

// openTraining makes the training part's source, and fills what copies need.
func (in *inputs) openTraining(t *testing.T, network *averages) pipeline.Source {
	t.Helper()
	train, missing, err := in.training(network, func(part dataset.Part) *features.Source {
		return &features.Source{Encoded: part, Decode: in.decoder.Decode, Compute: network.Features, Store: in.store, Workers: in.o.workers}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range missing {
		if err := s.Warm(t.Context(), 7, nil); err != nil {
			t.Fatal(err)
		}
	}
	return train
}

// place is a batch of a run.
type place struct{ epoch, batch int }

// batchesOf gives a run's batches, asked for in any order and several at once,
// as a prefetcher may, or from the middle on, as a resumed run does.
func batchesOf(t *testing.T, source pipeline.Source, places []place, atOnce int) map[place][]float32 {
	t.Helper()
	var mu sync.Mutex
	got := map[place][]float32{}
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, p := range places {
		group.Go(func() error {
			order := pipeline.Order(3, p.epoch, source.Len())
			batch, err := source.Batch(t.Context(), p.epoch, order[9*p.batch:min(9*p.batch+9, len(order))])
			mu.Lock()
			defer mu.Unlock()
			got[p] = batch.Data
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAugmentedBatchesAreTheSameHoweverTheyAreMade(t *testing.T) {
	network := &averages{}
	reference := augmentedInputs(t, 0, 1, cacheOptions{off: true}).openTraining(t, network)
	var all []place
	for epoch := 1; epoch <= testEpochs; epoch++ {
		for batch := range (reference.Len() + 8) / 9 {
			all = append(all, place{epoch, batch})
		}
	}
	want := batchesOf(t, reference, all, 1)
	if network.passed != testEpochs*reference.Len() {
		t.Errorf("%d images passed the frozen part in %d epochs of %d", network.passed, testEpochs, reference.Len())
	}
	if slices.Equal(want[place{1, 0}], want[place{2, 0}]) {
		t.Error("two epochs begin with the same batch")
	}
	compare := func(t *testing.T, got map[place][]float32) {
		t.Helper()
		for p, values := range got {
			if !slices.Equal(values, want[p]) {
				t.Errorf("epoch %d, batch %d differs", p.epoch, p.batch)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for round := range 6 {
		workers, atOnce := 1+random.IntN(5), 1+random.IntN(6)
		cache := cacheOptions{}
		cache.MaxBytes = []int64{0, 30 << 10}[round%2] // room for all, or for five images
		source := augmentedInputs(t, 0, workers, cache).openTraining(t, &averages{})
		some := slices.Clone(all[random.IntN(len(all)):])
		random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		compare(t, batchesOf(t, source, some, atOnce))
	}

	t.Run("copies", func(t *testing.T) {
		const copies = 2
		store := features.Options{Dir: t.TempDir()}
		for run, passes := range []int{copies, 0} {
			in, network := augmentedInputs(t, copies, 1+run, cacheOptions{Options: store}), &averages{}
			var err error
			if in.store, err = features.Open(store, "averages"); err != nil {
				t.Fatal(err)
			}
			source := in.openTraining(t, network)
			early := all[:len(all)*copies/testEpochs] // later ones are in another order
			compare(t, batchesOf(t, source, early, 1+3*run))
			if network.passed != passes*source.Len() {
				t.Errorf("run %d: %d images passed the frozen part, not %d of %d", run, network.passed, passes, source.Len())
			}
			index := []int{4, 0, 7}
			for epoch := copies + 1; epoch <= testEpochs; epoch++ {
				later, err := source.Batch(t.Context(), epoch, index)
				if err != nil {
					t.Fatal(err)
				}
				first, err := reference.Batch(t.Context(), epoch-copies, index)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(later.Data, first.Data) {
					t.Errorf("run %d: epoch %d is not epoch %d again", run, epoch, epoch-copies)
				}
			}
		}
	})
}
