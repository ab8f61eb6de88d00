package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/features"
	"tftl/pipeline/pixels"
	"tftl/savedmodels"
)

// cacheOptions say where frozen features are kept.
type cacheOptions struct {
	off      bool
	homeless error // why there is no folder by default: then RAM serves
	features.Options
}

func newCacheFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cache", Value: "disk", Usage: "disk, ram, or off: then every epoch runs the frozen part", Category: cacheFlags},
		&cli.StringFlag{Name: "cache-dir", Usage: "`DIR` that runs share", DefaultText: "tftl/features in the user's cache folder", Category: cacheFlags},
		&cli.StringFlag{Name: "cache-size", Value: "10GB", Usage: "most that it may hold; what does not fit is computed again every epoch", Category: cacheFlags},
	}
}

func newCacheOptions(c *cli.Context) (o cacheOptions, err error) {
	if o.MaxBytes, err = parseBytes(c.String("cache-size")); err != nil {
		return o, err
	}
	switch where := c.String("cache"); where {
	case "off":
		o.off = true
	case "ram":
	case "disk":
		if o.Dir = c.String("cache-dir"); o.Dir == "" {
			user, err := os.UserCacheDir()
			if err != nil { // in a container, say
				o.homeless = err
				break
			}
			o.Dir = filepath.Join(user, "tftl", "features")
		}
	default:
		return o, pipeline.Errorf(pipeline.BadUsage, "--cache %q: must be disk, ram or off", where)
	}
	return o, nil
}

func newDecoder(in savedmodels.Input, workers int) (*pixels.Decoder, error) {
	return pixels.NewDecoder(pixels.Options{Height: in.Size[0], Width: in.Size[1], Interpolation: in.Interpolation, Fit: in.Fit, Workers: workers})
}

// inputs makes a stage's sources out of a data set: images, decoder and the
// frozen part behind the feature cache.
type inputs struct {
	t        terminal
	o        fitOptions
	model    *savedmodels.Model
	set      *dataset.Set
	decoder  *pixels.Decoder
	progress *progress
	store    *features.Store

	augmenter *pixels.Augmenter // nil without augmentation
	decoded   *features.Store   // of pixels that are augmented anew every epoch
}

func newInputs(t terminal, o fitOptions, model *savedmodels.Model, set *dataset.Set, decoder *pixels.Decoder, p *progress) *inputs {
	return &inputs{t: t, o: o, model: model, set: set, decoder: decoder, progress: p}
}

// open is a pipeline.Inputs. It runs the frozen pass over both parts.
func (in *inputs) open(ctx context.Context, name string, stage pipeline.Stage) (train, validation pipeline.Source, err error) {
	if err := in.openStore(name); err != nil {
		return nil, nil, err
	}
	source := func(part dataset.Part) *features.Source { return in.features(stage, part) }
	train, missing, err := in.training(stage, source)
	if err != nil {
		return nil, nil, err
	}
	second := source(in.set.Validation)
	if in.store == nil {
		in.t.say("feature cache off: every epoch runs the frozen part")
		return train, second, nil
	}
	in.progress.start()
	missing = append(missing, second)
	event := pipeline.Event{Phase: "features", Stage: name}
	for _, s := range missing {
		event.Total += s.Len()
	}
	var done, cached int // of the sources before
	for _, s := range missing {
		err := s.Warm(ctx, features.BatchSize, func(d, c int) {
			event.Done, event.Cached = done+d, cached+c
			in.progress.event(event)
		})
		if err != nil {
			return nil, nil, err
		}
		done, cached = event.Done, event.Cached
	}
	in.progress.featuresDone(event)
	if len(missing) > 1 && name == in.o.config.Training.Stages[0].Name { // once a run
		in.t.warnOfShared(missing[0], second)
	}
	stats := in.store.Stats()
	switch {
	case stats.WriteError != nil:
		in.t.warn("the feature cache cannot be written: %v; what it lacks is computed again every epoch (--cache-dir, --cache ram)", stats.WriteError)
	case stats.Refused > 0:
		in.t.warn("the feature cache is full (--cache-size): %d of %d images have no room for what stage %s takes, and are computed again every epoch",
			stats.Refused, event.Total, name)
	}
	if stats.Damaged > 0 {
		in.t.warn("%d damaged records of the feature cache were computed again", stats.Damaged)
	}
	return train, second, nil
}

// features is a part as a stage's features, found in the store or computed.
func (in *inputs) features(stage pipeline.Stage, part pipeline.Encoded) *features.Source {
	compute := features.Compute(stage.Features)
	if in.store != nil {
		compute = features.Filled(compute, features.BatchSize)
	}
	return &features.Source{Encoded: part, Decode: in.decoder.Decode, Compute: compute, Store: in.store, Workers: in.o.workers}
}

func (in *inputs) openStore(stage string) error {
	if in.o.cache.off {
		return nil
	}
	space, err := in.model.FeatureSpace(stage, in.o.frozenWeights(in.model, stage))
	if err != nil {
		return err
	}
	in.closeStore()
	unwritable := in.o.cache.homeless
	if in.store, err = features.Open(in.o.cache.Options, space); err != nil && in.o.cache.Dir != "" {
		unwritable = err
		in.o.cache.Dir = ""
		in.store, err = features.Open(in.o.cache.Options, space)
	}
	if unwritable != nil {
		in.t.warn("features are kept in memory, for this run alone: %v (--cache-dir)", unwritable)
		in.o.cache.homeless = nil
	}
	return err
}

// closeStore loses nothing: what was stored is stored.
func (in *inputs) closeStore() {
	if in.store != nil {
		_ = in.store.Close()
	}
}

func (in *inputs) close() {
	in.closeStore()
	if in.augmenter != nil {
		_ = in.augmenter.Close()
	}
	if in.decoded != nil {
		_ = in.decoded.Close()
	}
}
