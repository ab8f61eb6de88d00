// Command input measures tftl's input alone: reading, decoding and resizing a
// folder of images, no network behind it. scripts/bench/input.py runs it beside
// tf.data and compares.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	_ "tftl/internal/quiet"
	"tftl/pipeline/dataset"
	"tftl/pipeline/pixels"
)

func main() {
	data := flag.String("data", "", "folder of images, a sub-folder a class")
	size := flag.Int("size", 224, "height and width that they are resized to")
	workers := flag.Int("workers", 0, "images decoded at a time; 0 for one a processor")
	batchSize := flag.Int("batch-size", 32, "images a batch")
	flag.Parse()
	if err := run(context.Background(), *data, *batchSize, pixels.Options{Height: *size, Width: *size, Interpolation: "bilinear", Workers: *workers}); err != nil {
		fmt.Fprintln(os.Stderr, "input:", err)
		os.Exit(1)
	}
}

// run goes over the images twice, the first time to warm up, and prints what
// the second took as one line of JSON.
func run(ctx context.Context, data string, batchSize int, o pixels.Options) error {
	set, err := dataset.OpenLabelled(data, dataset.Options{})
	if err != nil {
		return err
	}
	images, err := set.Subset("all")
	if err != nil {
		return err
	}
	decoder, err := pixels.NewDecoder(o)
	if err != nil {
		return err
	}
	defer decoder.Close()
	source := pixels.Source{Encoded: images, Decoder: decoder}
	var started time.Time
	var busy float64
	for range 2 {
		started, busy = time.Now(), processors()
		for i := 0; i < source.Len(); i += batchSize {
			index := make([]int, min(batchSize, source.Len()-i))
			for k := range index {
				index[k] = i + k
			}
			batch, err := source.Batch(ctx, 0, index)
			if err != nil {
				return err
			}
			batch.Recycle() // as whoever feeds it to a network does
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"images": float64(source.Len()), "seconds": time.Since(started).Seconds(), "processor": processors() - busy,
	})
}

// processors is the seconds that this process has had of all of them.
func processors() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
