// Command copies looks for copies in a data set and prints what it finds as one line of
// JSON. scripts/bench/audit_copies.py compares it with others.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	_ "tftl/internal/quiet"
	"tftl/pipeline"
	"tftl/pipeline/audit"
	"tftl/pipeline/dataset"
	"tftl/pipeline/pixels"
)

func main() {
	data := flag.String("data", "", "data set")
	workers := flag.Int("workers", 0, "images read at a time; 0 for one per processor")
	flag.Parse()
	if err := run(context.Background(), *data, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "copies:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, data string, workers int) error {
	set, err := dataset.OpenLabelled(data, dataset.Options{})
	if err != nil {
		return err
	}
	images, err := set.Part(pipeline.AllParts)
	if err != nil {
		return err
	}
	decoder, err := pixels.NewDecoder(pixels.Options{Height: 1, Width: 1, Interpolation: "area"})
	if err != nil {
		return err
	}
	defer decoder.Close()
	started := time.Now()
	phases := map[string]float64{}
	findings, bad, err := audit.Copies{
		Images:  images,
		Decode:  decoder.Whole,
		Part:    func(int) string { return pipeline.TrainPart },
		Class:   func(label int) string { return set.Classes[label] },
		Workers: workers,
		Progress: func(e pipeline.Event) {
			phases[e.Phase] = time.Since(started).Seconds() // the last one remains
		},
	}.Find(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"images": images.Len(), "unreadable": len(bad), "seconds": time.Since(started).Seconds(), "until": phases, "findings": findings,
	})
}
