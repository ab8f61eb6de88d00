package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/internal/fake"
)

const testEpochs = 4

// counting is a stage whose frozen part changes nothing. It counts the images that
// pass through it.
type counting struct {
	pipeline.Stage
	mu     sync.Mutex
	passed int
}

func (c *counting) Features(_ context.Context, images pipeline.Batch) (pipeline.Batch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed += len(images.Samples)
	return images, nil
}

// shifting adds a draw to every pixel that depends only on epoch and sample.
type shifting struct{}

func shift(epoch int, s pipeline.Sample) float32 {
	random := rand.New(rand.NewPCG(uint64(epoch), uint64(len(s.ID))+uint64(s.ID[len(s.ID)-5])))
	return random.Float32()
}

func (shifting) Apply(_ context.Context, epoch int, b pipeline.Batch) (pipeline.Batch, error) {
	data := slices.Clone(b.Data)
	for i, s := range b.Samples {
		data[i] += shift(epoch, s)
	}
	b.Data = data
	return b, nil
}

func (shifting) Variant(epoch int, s pipeline.Sample) string { return fmt.Sprint(shift(epoch, s)) }

func (shifting) Describe() (notes, warnings []pipeline.Message) { return nil, nil }

func (shifting) Close() error { return nil }

// augmented returns the inputs of a run with augmentation.
func augmented(t *testing.T, copies, workers int, cache Cache) *inputs {
	t.Helper()
	world := new(fake.World)
	env := world.Env()
	env.Augmenter = func(pipeline.Augmentation, uint64, workflow.Input, int) (workflow.Augmenter, error) {
		return shifting{}, nil
	}
	set, err := dataset.Open(fake.Data(t, t.TempDir()), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	network, err := env.Load(t.TempDir(), workflow.Session{})
	if err != nil {
		t.Fatal(err)
	}
	in := &inputs{env: env, progress: env.Progress, options: Options{Cache: cache, Workers: workers}, network: network, set: set, digests: new(workflow.Digests)}
	in.config.Training.Augmentation = pipeline.Augmentation{HorizontalFlip: true, Copies: copies}
	in.config.Training.Stages = []rundir.Stage{{Name: HeadStage, Epochs: testEpochs}}
	if in.decoder, err = env.Decoder(workflow.Input{}, workers); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.close)
	return in
}

// openTraining returns the source of the training part, and fills the cache for
// copies.
func (in *inputs) openTraining(t *testing.T, stage *counting) pipeline.Source {
	t.Helper()
	train, missing, err := in.training(stage)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range missing {
		if err := s.Warm(t.Context(), features.BatchSize, nil); err != nil {
			t.Fatal(err)
		}
	}
	return train
}

// place identifies a batch of a run.
type place struct{ epoch, batch int }

// batchesOf returns a run's batches. It reads them in any order and several at
// once, as a prefetcher may, or from the middle, as a resumed run does.
func batchesOf(t *testing.T, source pipeline.Source, places []place, atOnce int) map[place][]float32 {
	t.Helper()
	var mu sync.Mutex
	got := map[place][]float32{}
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, p := range places {
		group.Go(func() error {
			order := pipeline.Order(3, p.epoch, source.Len())
			batch, err := source.Batch(t.Context(), p.epoch, order[3*p.batch:min(3*p.batch+3, len(order))])
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
	stage := &counting{}
	reference := augmented(t, 0, 1, Cache{Off: true}).openTraining(t, stage)
	var all []place
	for epoch := 1; epoch <= testEpochs; epoch++ {
		for batch := range (reference.Len() + 2) / 3 {
			all = append(all, place{epoch, batch})
		}
	}
	want := batchesOf(t, reference, all, 1)
	if stage.passed != testEpochs*reference.Len() {
		t.Errorf("%d images passed the frozen part in %d epochs of %d", stage.passed, testEpochs, reference.Len())
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
		cache := Cache{}
		cache.MaxBytes = []int64{0, 20}[round%2] // enough for all, or for five images
		source := augmented(t, 0, workers, cache).openTraining(t, &counting{})
		some := slices.Clone(all[random.IntN(len(all)):])
		random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		compare(t, batchesOf(t, source, some, atOnce))
	}

	t.Run("copies", func(t *testing.T) {
		const copies = 2
		store := features.Options{Dir: t.TempDir()}
		for run, passes := range []int{copies, 0} {
			in, stage := augmented(t, copies, 1+run, Cache{Options: store}), &counting{}
			var err error
			if in.store, err = features.Open(store, "fake"); err != nil {
				t.Fatal(err)
			}
			source := in.openTraining(t, stage)
			early := all[:len(all)*copies/testEpochs] // later epochs have another order
			compare(t, batchesOf(t, source, early, 1+3*run))
			if stage.passed != passes*features.BatchSize { // each batch is filled up
				t.Errorf("run %d: %d images passed the frozen part, not %d batches of %d", run, stage.passed, passes, features.BatchSize)
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
