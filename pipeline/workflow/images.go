package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
	"tftl/pipeline/rundir"
)

// Digest is the SHA-256 of an image's bytes. Its zero value means unknown.
type Digest = [sha256.Size]byte

// Digests holds the digests of a data set's images by their IDs, so that each
// image is hashed only once. It is safe for concurrent use.
type Digests struct {
	mu   sync.Mutex
	sums map[string]Digest
}

// Of returns the digest of an image. It is zero if the image has not been or
// cannot be read.
func (d *Digests) Of(id string) Digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sums[id]
}

func (d *Digests) set(id string, sum Digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sums == nil {
		d.sums = map[string]Digest{}
	}
	d.sums[id] = sum
}

// Hash hashes the images of a part that are not known yet, workers at a time. An
// image that cannot be read stays unknown; reading it later gives the error.
func (d *Digests) Hash(ctx context.Context, part dataset.Part, workers int, progress pipeline.Progress) error {
	unknown := part.Keep(func(i int) bool { return d.Of(part.Sample(i).ID) == Digest{} })
	sums, err := unknown.Contents(ctx, workers, progress)
	if err != nil {
		return err
	}
	for i, sum := range sums {
		d.set(unknown.Sample(i).ID, sum)
	}
	return nil
}

// Read hashes image i of a part. The error says why it cannot be read.
func (d *Digests) Read(part dataset.Part, i int) (Digest, error) {
	_, err := hashing{part, d}.Bytes(i)
	return d.Of(part.Sample(i).ID), err
}

// Changed lists the images of a part that have changed since a run began. It
// finds none in old runs, which did not record contents.
func (d *Digests) Changed(ctx context.Context, run rundir.Dir, part dataset.Part, workers int, progress pipeline.Progress) ([]string, error) {
	was, err := run.ReadContents()
	if err != nil || was == nil {
		return nil, err
	}
	if err := d.Hash(ctx, part, workers, progress); err != nil {
		return nil, err
	}
	var changed []string
	for i := range part.Len() {
		id := part.Sample(i).ID
		if sum := d.Of(id); was[id] != "" && sum != (Digest{}) && was[id] != hex.EncodeToString(sum[:]) {
			changed = append(changed, id)
		}
	}
	return changed, nil
}

// hashing is a part that hashes images when they are read.
type hashing struct {
	dataset.Part
	digests *Digests
}

func (h hashing) Bytes(i int) ([]byte, error) {
	encoded, err := h.Part.Bytes(i)
	if err == nil {
		h.digests.set(h.Sample(i).ID, sha256.Sum256(encoded))
	}
	return encoded, err
}

// Screen decodes every image of a part and leaves out the bad ones. This happens
// before training instead of during it, so that the training images and their
// batches depend only on the images and not on what is cached. It is an error if
// all images are bad.
func (e Env) Screen(ctx context.Context, part dataset.Part, digests *Digests, workers int) (dataset.Part, []check.Bad, error) {
	decoder, err := e.Decoder(Input{Height: 1, Width: 1, Interpolation: "nearest"}, 1)
	if err != nil {
		return part, nil, err
	}
	bad, err := check.Unusable(ctx, hashing{part, digests}, decoder.Decode, workers, e.Progress)
	if err := firstError(err, decoder.Close()); err != nil || len(bad) == 0 {
		return part, nil, err
	}
	skip := make(map[int]bool, len(bad))
	for _, b := range bad {
		skip[b.Index] = true
	}
	kept := part.Keep(func(i int) bool { return !skip[i] })
	if kept.Len() == 0 {
		return kept, nil, pipeline.Errorf(pipeline.BadData, "no image is left: all %d are bad; the first is %s: %s", len(bad), bad[0].Sample.ID, bad[0].Reason)
	}
	return kept, bad, nil
}

// ScreenSet leaves the bad images out of every part of a set. It is an error if
// no image is left in a part, or in a class of the training part.
func (e Env) ScreenSet(ctx context.Context, set *dataset.Set, digests *Digests, workers int) (skipped []rundir.BadImage, err error) {
	for i, part := range []*dataset.Part{&set.Train, &set.Validation, &set.Test} {
		name := pipeline.Parts()[i]
		kept, bad, err := e.Screen(ctx, *part, digests, workers)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		*part = kept
		skipped = append(skipped, Skipped(bad, name, set.Classes)...)
	}
	left := make([]bool, len(set.Classes))
	for i := range set.Train.Len() {
		left[set.Train.Sample(i).Label] = true
	}
	for label, ok := range left {
		if !ok {
			return nil, pipeline.Errorf(pipeline.BadData, "%s: no image of %q is left: all are bad", pipeline.TrainPart, set.Classes[label])
		}
	}
	return skipped, nil
}

// Skipped returns bad images in the form that a run's folder records.
func Skipped(bad []check.Bad, part string, classes []string) []rundir.BadImage {
	var list []rundir.BadImage
	for _, b := range bad {
		row := rundir.BadImage{ID: b.Sample.ID, Part: part, Reason: b.Reason}
		if b.Sample.Label >= 0 {
			row.Class = classes[b.Sample.Label]
		}
		list = append(list, row)
	}
	return list
}

// DescribeData sends notes about how a data set was read.
func (e Env) DescribeData(set *dataset.Set) {
	e.Say("%s", set.Description)
	if len(set.NoImages) > 0 {
		e.Say("left out because they are not images: %v", set.NoImages)
	}
	for _, warning := range set.Warnings {
		e.Warn("%v", warning)
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Samples lists the samples of a part.
func Samples(part dataset.Part) []pipeline.Sample {
	list := make([]pipeline.Sample, part.Len())
	for i := range list {
		list[i] = part.Sample(i)
	}
	return list
}

// ScreenPart screens one part and warns of each skipped image.
func (e Env) ScreenPart(ctx context.Context, part dataset.Part, name string, classes []string, workers int) (dataset.Part, []rundir.BadImage, error) {
	kept, bad, err := e.Screen(ctx, part, new(Digests), workers)
	if err != nil {
		return kept, nil, err
	}
	for _, b := range bad {
		e.Warn("image %s is skipped: %s", b.Sample.ID, b.Reason)
	}
	return kept, Skipped(bad, name, classes), nil
}
