// Command frozen measures the frozen pass: how fast the features of a folder of
// photographs are computed and cached, compared with feeding the same network
// one preloaded batch repeatedly, and what each part of the work costs.
// `make bench` runs it.
//
// The two are measured in turn, several times, so that changes in the machine's
// speed affect both. If other programs run, trust the processor time.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	_ "tftl/internal/quiet"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/pixels"
	"tftl/savedmodels"
)

type options struct {
	data, model, stage, precision string
	batchSize, rounds             int
	workers, threads              int
	preloaded                     bool
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", "", "folder of photographs with one sub-folder per class")
	flag.StringVar(&o.model, "model", "", "exported model")
	flag.StringVar(&o.stage, "stage", "head", "measure the frozen part of this stage")
	flag.StringVar(&o.precision, "precision", "auto", "as tftl takes it")
	flag.IntVar(&o.batchSize, "batch-size", 32, "images per batch")
	flag.IntVar(&o.rounds, "rounds", 3, "how often to measure each")
	flag.BoolVar(&o.preloaded, "preloaded", false, "measure only one batch that is fed repeatedly")
	flag.IntVar(&o.workers, "workers", 0, "images decoded at a time; 0 for one per processor")
	flag.IntVar(&o.threads, "threads", 0, "processors that TensorFlow may use; 0 for all")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "frozen:", err)
		os.Exit(1)
	}
}

// bench has the data and the stage, opened as `tftl fit` does.
type bench struct {
	options
	images  dataset.Part
	stage   pipeline.Stage
	decoder *pixels.Decoder
}

func run(ctx context.Context, o options) error {
	r, err := savedmodels.Resolve(savedmodels.Options{Precision: savedmodels.Precision(o.precision), Threads: o.threads, Device: "auto"})
	if err != nil {
		return err
	}
	model, err := savedmodels.Load(o.model, r)
	if err != nil {
		return err
	}
	set, err := dataset.OpenLabelled(o.data, dataset.Options{})
	if err != nil {
		return err
	}
	b := bench{options: o}
	if b.images, err = set.Part(pipeline.AllParts); err != nil {
		return err
	}
	if b.images.Len() < o.batchSize {
		return fmt.Errorf("%s: %d images do not fill a batch of %d", o.data, b.images.Len(), o.batchSize)
	}
	if b.stage, err = model.Open(ctx, o.stage); err != nil {
		return err
	}
	defer b.stage.Close()
	in := model.Description.Input
	b.decoder, err = pixels.NewDecoder(pixels.Options{Height: in.Size[0], Width: in.Size[1], Interpolation: in.Interpolation, Fit: in.Fit, Workers: o.workers})
	if err != nil {
		return err
	}
	defer b.decoder.Close()
	fmt.Printf("%s, stage %s, %s, %s: %d images, batches of %d\n\n", model.Description.Backbone, o.stage, r.Precision, r.Instructions, b.images.Len(), o.batchSize)
	if err := b.compare(ctx); err != nil || o.preloaded {
		return err
	}
	return b.takeApart(ctx)
}

// compare measures the preloaded batch and the frozen pass in turn.
func (b bench) compare(ctx context.Context) error {
	batch, err := b.batch(ctx, 0)
	if err != nil {
		return err
	}
	for range 2 { // the first runs build and tune the graph
		if _, err := b.stage.Features(ctx, batch); err != nil {
			return err
		}
	}
	var preloaded, frozen, wall, cpu []float64
	for range b.options.rounds {
		fed, err := b.feed(ctx, batch)
		if err != nil {
			return err
		}
		preloaded = append(preloaded, fed.rate())
		if b.preloaded {
			continue
		}
		passed, err := b.pass(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("preloaded batch  %v\nfrozen pass      %v\n", fed, passed)
		frozen = append(frozen, passed.rate())
		wall = append(wall, passed.rate()/fed.rate())
		cpu = append(cpu, fed.each(fed.cpu)/passed.each(passed.cpu))
	}
	if b.preloaded {
		fmt.Printf("median of %d: preloaded %.1f images/s\n", b.options.rounds, median(preloaded))
		return nil
	}
	fmt.Printf("\nmedian of %d: preloaded %.1f images/s, frozen pass %.1f images/s, ratio %.3f (by processor time %.3f)\n",
		b.options.rounds, median(preloaded), median(frozen), median(wall), median(cpu))
	return nil
}

// feed computes one batch as many times as the data set has batches.
func (b bench) feed(ctx context.Context, batch pipeline.Batch) (s span, err error) {
	for range b.images.Len() / b.batchSize {
		err := s.measure(b.batchSize, func() error {
			_, err := b.stage.Features(ctx, batch)
			return err
		})
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// pass runs the frozen pass as `tftl fit` does, with an empty cache on disk.
func (b bench) pass(ctx context.Context) (s span, err error) {
	err = withStore(func(store *features.Store) error {
		source := &features.Source{Encoded: b.images, Decode: b.decoder.Decode, Compute: b.stage.Features, Store: store, Workers: b.workers}
		return s.measure(b.images.Len(), func() error { return source.Warm(ctx, b.batchSize, nil) })
	})
	return s, err
}

// takeApart measures the parts of the pass one after the other on a few batches.
func (b bench) takeApart(ctx context.Context) error {
	const batches = 4
	var read, hash, decode, compute, keep span
	err := withStore(func(store *features.Store) error {
		for i := range min(batches, b.images.Len()/b.batchSize) {
			encoded := make([][]byte, b.batchSize)
			digests := make([]features.Digest, b.batchSize)
			samples := make([]pipeline.Sample, b.batchSize)
			var pixels, out pipeline.Batch
			for _, part := range []struct {
				spent *span
				do    func() error
			}{
				{&read, func() (err error) {
					for k := range encoded {
						samples[k] = b.images.Sample(i*b.batchSize + k)
						if encoded[k], err = b.images.Bytes(i*b.batchSize + k); err != nil {
							return err
						}
					}
					return nil
				}},
				{&hash, func() error {
					for k := range encoded {
						digests[k] = sha256.Sum256(encoded[k])
					}
					return nil
				}},
				{&decode, func() (err error) { pixels, err = b.decoder.Decode(ctx, encoded, samples); return err }},
				{&compute, func() (err error) { out, err = b.stage.Features(ctx, pixels); return err }},
				{&keep, func() error {
					width := len(out.Data) / b.batchSize
					for k, d := range digests {
						store.Put(d, out.Shape[1:], out.Data[k*width:(k+1)*width])
					}
					return nil
				}},
			} {
				if err := part.spent.measure(b.batchSize, part.do); err != nil {
					return err
				}
			}
		}
		return nil
	})
	fmt.Printf("\none after the other:\nread             %v\nhash             %v\ndecode, resize   %v\ncompute          %v\nstore            %v\n", read, hash, decode, compute, keep)
	return err
}

// batch reads and decodes batch i.
func (b bench) batch(ctx context.Context, i int) (pipeline.Batch, error) {
	index := make([]int, b.batchSize)
	for k := range index {
		index[k] = i*b.batchSize + k
	}
	batch, err := pixels.Source{Encoded: b.images, Decoder: b.decoder}.Batch(ctx, 0, index)
	batch.Recycle = nil // it is used more than once
	return batch, err
}

// withStore calls f with an empty feature cache on disk.
func withStore(f func(*features.Store) error) error {
	dir, err := os.MkdirTemp("", "frozen-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := features.Open(features.Options{Dir: dir}, "bench")
	if err != nil {
		return err
	}
	defer store.Close()
	return f(store)
}

// span is how long some images took: wall time and processor time.
type span struct {
	images    int
	wall, cpu time.Duration
}

func (s *span) measure(images int, f func() error) error {
	started, busy := time.Now(), processors()
	err := f()
	s.images += images
	s.wall += time.Since(started)
	s.cpu += processors() - busy
	return err
}

func (s span) rate() float64 { return float64(s.images) / s.wall.Seconds() }

// each returns milliseconds per image.
func (s span) each(d time.Duration) float64 { return d.Seconds() * 1000 / float64(s.images) }

func (s span) String() string {
	return fmt.Sprintf("%8.1f images/s  %8.2f ms per image, %8.2f ms of processor time", s.rate(), s.each(s.wall), s.each(s.cpu))
}

// processors returns the processor time that this process has used.
func processors() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}
