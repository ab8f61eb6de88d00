// Command input measures how fast tftl reads, decodes and resizes a folder of
// images, without a network. scripts/bench/input.py compares it with tf.data.
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
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/pixels"
)

func main() {
	data := flag.String("data", "", "folder of images with one sub-folder per class")
	size := flag.Int("size", 224, "height and width to resize them to")
	workers := flag.Int("workers", 0, "images decoded at a time; 0 for one per processor")
	batchSize := flag.Int("batch-size", 32, "images per batch")
	flag.Parse()
	if err := run(context.Background(), *data, *batchSize, pixels.Options{Height: *size, Width: *size, Interpolation: "bilinear", Workers: *workers}); err != nil {
		fmt.Fprintln(os.Stderr, "input:", err)
		os.Exit(1)
	}
}

// run reads the images twice, first to warm up, and prints the time of the
// second pass as one line of JSON.
func run(ctx context.Context, data string, batchSize int, o pixels.Options) error {
	set, err := dataset.OpenLabelled(data, dataset.Options{})
	if err != nil {
		return err
	}
	images, err := set.Part(pipeline.AllParts)
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
			batch.Recycle() // as it is done after a network has used it
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"images": float64(source.Len()), "seconds": time.Since(started).Seconds(), "processor": processors() - busy,
	})
}

// processors returns the processor seconds that this process has used.
func processors() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
