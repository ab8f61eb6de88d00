package workflow

import (
	"context"
	"fmt"

	"tftl/pipeline"
	"tftl/pipeline/contents"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
	"tftl/pipeline/rundir"
)

// Screen decodes the images of a part and leaves out the bad ones. Those that are
// known to decode are not read. This happens before training instead of during it,
// so that the training images and their batches depend only on the images and not
// on what is cached. It is an error if all images are bad.
func (e Env) Screen(ctx context.Context, part dataset.Part, digests *Digests, workers int) (dataset.Part, []check.Bad, error) {
	decoder, err := e.screen()
	if err != nil {
		return part, nil, err
	}
	bad, err := digests.undecodable(ctx, part, decoder, workers, e.Progress)
	if err := firstError(err, decoder.Close()); err != nil {
		return part, nil, err
	}
	return withoutBad(part, bad)
}

// screen opens a decoder for finding out whether images can be decoded.
func (e Env) screen() (Decoder, error) {
	return e.Decoder(Input{Height: 1, Width: 1, Interpolation: "nearest"}, 1)
}

// ScreenImages lists the bad ones among images of no data set, and warns of each.
func (e Env) ScreenImages(ctx context.Context, images pipeline.Encoded, workers int) ([]check.Bad, error) {
	decoder, err := e.screen()
	if err != nil {
		return nil, err
	}
	bad, err := check.Unusable(ctx, images, decoder.Decode, workers, e.Progress)
	if err := firstError(err, decoder.Close()); err != nil {
		return nil, err
	}
	for _, b := range bad {
		e.Warn("image %s is skipped: %s", b.Sample.ID, b.Reason)
	}
	return bad, nil
}

// undecodable lists the images of a part that cannot be decoded.
func (d *Digests) undecodable(ctx context.Context, part dataset.Part, decoder Decoder, workers int, progress pipeline.Progress) ([]check.Bad, error) {
	if err := d.Recall(ctx, part, workers); err != nil {
		return nil, err
	}
	version := contents.Decoder(decoder.Version())
	known := func(s pipeline.Sample) bool { return d.whyBad(s.ID) != "" || d.of(s.ID).decoder == version }
	unknown := part.Keep(func(i int) bool { return !known(part.Sample(i)) })
	found, err := check.Unusable(ctx, d.Hashed(unknown), decoder.Decode, workers, progress)
	if err != nil {
		return nil, err
	}
	for _, b := range found {
		d.markBad(b.Sample.ID, b.Reason)
	}
	for i := range unknown.Len() {
		if id := unknown.Sample(i).ID; d.whyBad(id) == "" {
			d.set(id, func(s *seen) { s.decoder = version })
		}
	}
	var bad []check.Bad
	for i := range part.Len() {
		s := part.Sample(i)
		if why := d.whyBad(s.ID); why != "" {
			bad = append(bad, check.Bad{Index: i, Sample: s, Reason: why})
		}
	}
	return bad, nil
}

// withoutBad leaves bad images out of a part. It is an error if all are bad.
func withoutBad(part dataset.Part, bad []check.Bad) (dataset.Part, []check.Bad, error) {
	if len(bad) == 0 {
		return part, nil, nil
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
	kept, bad, err := e.Screen(ctx, part, e.Digests(), workers)
	if err != nil {
		return kept, nil, err
	}
	for _, b := range bad {
		e.Warn("image %s is skipped: %s", b.Sample.ID, b.Reason)
	}
	return kept, Skipped(bad, name, classes), nil
}
