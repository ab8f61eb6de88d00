// Package curve trains the heads of a learning curve: on parts of the training
// images, each measured on the validation part. What their errors mean is computed by
// package pipeline/curve.
package curve

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tftl/pipeline"
	numbers "tftl/pipeline/curve"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
)

// Options say which heads to train.
type Options struct {
	// Sizes are numbers of training images, in any order. The number of all is added.
	// Empty: numbers.Sizes.
	Sizes  []int
	Seeds  int    // heads for each number
	Seed   uint64 // the first of them
	Metric string // whose curve is fitted
}

// Check returns an error if a value makes no sense for any data.
func (o Options) Check() error {
	if err := pipeline.CheckRange("seeds", o.Seeds, numbers.LeastSeeds, numbers.MostSeeds); err != nil {
		return err
	}
	if o.Metric != numbers.Accuracy && o.Metric != numbers.BalancedAccuracy {
		return pipeline.Errorf(pipeline.BadUsage, "%s %q: must be %s or %s", pipeline.Option("metric"), o.Metric, numbers.Accuracy, numbers.BalancedAccuracy)
	}
	if len(o.Sizes) > numbers.MostSizes {
		return pipeline.Errorf(pipeline.BadUsage, "%s: %d numbers, at most %d", optionSizes, len(o.Sizes), numbers.MostSizes)
	}
	for _, n := range o.Sizes {
		if err := pipeline.CheckRange(optionSizes, n, 2, math.MaxInt); err != nil {
			return err
		}
	}
	return nil
}

const optionSizes = pipeline.Option("sizes")

// Heads trains heads and predicts with the one that was trained last, as train.Heads
// does.
type Heads interface {
	Images() pipeline.Encoded
	Train(ctx context.Context, seed uint64, train, validation []int) (pipeline.Epoch, error)
	Predict(ctx context.Context, index []int) ([]pipeline.Prediction, error)
}

// Run trains the heads of a data set and analyses them. The test part is not used. A
// head that diverges is left out, with a word to warn.
func Run(ctx context.Context, h Heads, set *dataset.Set, o Options, show pipeline.Progress, warn func(format string, args ...any)) (numbers.Result, error) {
	w := work{heads: h, show: show, warn: warn}
	if err := o.Check(); err != nil {
		return numbers.Result{}, err
	}
	var err error
	if w.training, w.validation, err = parts(h.Images(), set); err != nil {
		return numbers.Result{}, err
	}
	w.measured = numbers.Validation{Classes: set.Classes, Images: make([]int, len(set.Classes))}
	for _, i := range w.validation {
		w.measured.Images[h.Images().Sample(i).Label]++
	}
	if w.sizes, err = sizes(o, len(w.training), len(set.Classes)); err != nil {
		return numbers.Result{}, err
	}
	trained, err := w.train(ctx, o)
	if err != nil {
		return numbers.Result{}, err
	}
	return numbers.Analyse(trained, w.measured, o.Metric)
}

// parts finds the images of the training and the validation part among all.
func parts(all pipeline.Encoded, set *dataset.Set) (training, validation []int, err error) {
	part := map[string]*[]int{}
	for name, into := range map[string]*[]int{pipeline.TrainPart: &training, pipeline.ValidationPart: &validation} {
		images, err := set.Part(name)
		if err != nil {
			return nil, nil, err
		}
		for i := range images.Len() {
			part[images.Sample(i).ID] = into
		}
	}
	for i := range all.Len() {
		if into := part[all.Sample(i).ID]; into != nil {
			*into = append(*into, i)
		}
	}
	return training, validation, nil
}

// sizes are the numbers of images to train on, ascending, the last of which is total.
func sizes(o Options, total, classes int) ([]int, error) {
	if len(o.Sizes) == 0 {
		list := numbers.Sizes(total, classes, numbers.DefaultSizes)
		if len(list) < numbers.LeastSizes {
			err := pipeline.Errorf(pipeline.BadData, "the training part has %d images of %d classes: a learning curve takes at least %d different numbers of images, of two per class or more", total, classes, numbers.LeastSizes)
			return nil, pipeline.WithHint(err, "at least %d training images are needed; each photograph helps most where there are so few", 2*classes+numbers.LeastSizes-1)
		}
		return list, nil
	}
	for _, n := range o.Sizes {
		if n < classes || n > total {
			return nil, pipeline.Errorf(pipeline.BadUsage, "%s %d: must be from %d, the number of classes, to %d, the number of training images", optionSizes, n, classes, total)
		}
	}
	list := append(slices.Clone(o.Sizes), total)
	slices.Sort(list)
	if list = slices.Compact(list); len(list) < numbers.LeastSizes {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s: a curve takes at least %d different numbers of images; with all %d, these are %d", optionSizes, numbers.LeastSizes, total, len(list))
	}
	return list, nil
}

// work is the heads of one curve.
type work struct {
	heads                Heads
	training, validation []int // images
	measured             numbers.Validation
	sizes                []int
	show                 pipeline.Progress
	warn                 func(format string, args ...any)
}

// train trains all heads. Those of a seed are trained on beginnings of one order.
func (w work) train(ctx context.Context, o Options) (trained []numbers.Head, err error) {
	labels := make([]int, len(w.training))
	for i, image := range w.training {
		labels[i] = w.heads.Images().Sample(image).Label
	}
	total := o.Seeds * len(w.sizes)
	for s := range o.Seeds {
		seed := o.Seed + uint64(s)
		order := numbers.Nested(labels, seed)
		for _, n := range w.sizes {
			w.progress(len(trained), total)
			some := make([]int, n)
			for i, k := range order[:n] {
				some[i] = w.training[k]
			}
			slices.Sort(some) // what an epoch does with them is up to the seed
			head, err := w.head(ctx, seed, some)
			if err != nil {
				return nil, fmt.Errorf("%d images, seed %d: %w", n, seed, err)
			}
			trained = append(trained, head)
		}
	}
	w.progress(total, total)
	return trained, nil
}

func (w work) progress(done, total int) {
	if w.show != nil {
		w.show(pipeline.Event{Phase: "curve", Done: done, Total: total})
	}
}

// head trains one head and measures it.
func (w work) head(ctx context.Context, seed uint64, images []int) (h numbers.Head, err error) {
	h = numbers.Head{Images: len(images), Seed: seed}
	best, err := w.heads.Train(ctx, seed, images, w.validation)
	if pipeline.KindOf(err) == pipeline.Diverged {
		w.warn("the head with %d images and seed %d diverged and is left out", len(images), seed)
		h.Diverged = true
		return h, nil
	}
	if err != nil {
		return h, err
	}
	predictions, err := w.heads.Predict(ctx, w.validation)
	if err != nil {
		return h, err
	}
	h.Epoch, h.Right = best.Epoch, make([]int, len(w.measured.Classes))
	for i, right := range metrics.Terms("accuracy")(predictions) {
		h.Right[predictions[i].Sample.Label] += int(right)
	}
	for _, m := range metrics.Basic(predictions) {
		switch m.Name {
		case "loss":
			h.Loss = m.Value
		case numbers.Accuracy:
			h.Accuracy = m.Value
		case numbers.BalancedAccuracy:
			h.BalancedAccuracy = m.Value
		}
	}
	if math.IsNaN(h.Accuracy) || math.IsInf(h.Loss, 0) || math.IsNaN(h.Loss) {
		w.warn("the head with %d images and seed %d has no finite loss and is left out", len(images), seed)
		return numbers.Head{Images: h.Images, Seed: seed, Diverged: true}, nil
	}
	return h, nil
}
