package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
	"tftl/pipeline/pixels"
	"tftl/pipeline/rundir"
)

// What becomes of an image that cannot be read or decoded.
const (
	failOnBadImage = "fail"
	skipBadImages  = "skip"
)

func newBadImageFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "on-bad-image", Value: failOnBadImage, Category: dataFlags,
		Usage: "fail, or skip: images that cannot be decoded are found beforehand, left out and named; nothing is deleted",
	}
}

func onBadImage(c *cli.Context) (string, error) {
	switch what := c.String("on-bad-image"); what {
	case failOnBadImage, skipBadImages:
		return what, nil
	default:
		return "", pipeline.Errorf(pipeline.BadUsage, "--on-bad-image %q: must be fail or skip", what)
	}
}

// badImage is an image that was skipped.
type badImage struct {
	check.Bad
	part  string
	class string // empty where there are no labels
}

// screen decodes every image of a part and leaves out those that are bad. That
// is done before anything else, and not as they turn up: so what is trained on,
// and in which batches, depends on the images alone, and not on what of them is
// cached.
func screen(ctx context.Context, t terminal, part dataset.Part, workers int) (dataset.Part, []check.Bad, error) {
	decoder, err := pixels.NewDecoder(pixels.Options{Height: 1, Width: 1, Interpolation: "nearest", Workers: 1})
	if err != nil {
		return part, nil, err
	}
	defer decoder.Close()
	progress := newProgress(t, rundir.Dir{})
	defer progress.end()
	bad, err := check.Unusable(ctx, part, decoder.Decode, workers, progress.event)
	if err != nil || len(bad) == 0 {
		return part, nil, err
	}
	skip := make(map[int]bool, len(bad))
	for _, b := range bad {
		skip[b.Index] = true
	}
	return part.Keep(func(i int) bool { return !skip[i] }), bad, nil
}

// screenSet leaves the bad images out of every part. A part or a class of the
// training part that has no other is an error.
func screenSet(ctx context.Context, t terminal, set *dataset.Set, workers int) (skipped []badImage, err error) {
	for i, part := range []*dataset.Part{&set.Train, &set.Validation, &set.Test} {
		name := [...]string{"train", "val", "test"}[i]
		kept, bad, err := screen(ctx, t, *part, workers)
		if err != nil {
			return nil, err
		}
		if err := allBad(kept, bad); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		*part = kept
		for _, b := range bad {
			skipped = append(skipped, badImage{b, name, set.Classes[b.Sample.Label]})
		}
	}
	left := make([]bool, len(set.Classes))
	for i := range set.Train.Len() {
		left[set.Train.Sample(i).Label] = true
	}
	for label, ok := range left {
		if !ok {
			return nil, pipeline.Errorf(pipeline.BadData, "train: no image of %q is left, for all are bad", set.Classes[label])
		}
	}
	return skipped, nil
}

func allBad(kept dataset.Part, bad []check.Bad) error {
	if kept.Len() > 0 || len(bad) == 0 {
		return nil
	}
	return pipeline.Errorf(pipeline.BadData, "no image is left, for all %d are bad; the first is %s: %s", len(bad), bad[0].Sample.ID, bad[0].Reason)
}

// screenOne is for commands that run over one part: it names what is skipped
// right away. what is fail or skip.
func screenOne(ctx context.Context, t terminal, set *dataset.Set, subset, what string, workers int) (part dataset.Part, skipped []badImage, err error) {
	part, err = set.Subset(subset)
	if err != nil || what != skipBadImages {
		return part, nil, err
	}
	part, bad, err := screen(ctx, t, part, workers)
	if err == nil {
		err = allBad(part, bad)
	}
	for _, b := range bad {
		t.warn("image %s is skipped: %s", b.Sample.ID, b.Reason)
		class := ""
		if b.Sample.Label >= 0 {
			class = set.Classes[b.Sample.Label]
		}
		skipped = append(skipped, badImage{b, subset, class})
	}
	return part, skipped, err
}

// badImagesFile names the images that a run skipped, in its folder.
const badImagesFile = "bad-images.csv"

// writeBadImages names the skipped images where skipping was asked for: with
// none, too, so that no older file is taken for this one.
func writeBadImages(path, what string, skipped []badImage) error {
	if what != skipBadImages {
		return nil
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		rows := [][]string{{"path", "label", "split", "reason"}}
		for _, b := range skipped {
			rows = append(rows, []string{b.Sample.ID, b.class, b.part, b.Reason})
		}
		return csv.NewWriter(w).WriteAll(rows)
	})
}
