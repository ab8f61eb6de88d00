package main

import (
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/schedule"
	"tftl/savedmodels"
)

// fitOptions are what `tftl fit` was asked for.
type fitOptions struct {
	data      string
	dataset   dataset.Options
	model     string
	output    string
	overwrite bool
	epochs    int
	batchSize int
	units     int // 0: not given
	seed      uint64
	rate      float64 // NaN: not given
	hyper     pipeline.Hyperparameters
	stopping  schedule.EarlyStopping
	cache     cacheOptions
	workers   int
	json      bool
}

func newFitOptions(c *cli.Context) (o fitOptions, err error) {
	if err := noArguments(c); err != nil {
		return o, err
	}
	if err := requireFlags(c, "data", "model"); err != nil {
		return o, err
	}
	if err := atLeast(c, 1, "epochs", "batch-size"); err != nil {
		return o, err
	}
	if err := atLeast(c, 0, "patience", "units", "workers"); err != nil {
		return o, err
	}
	o = fitOptions{
		data: c.String("data"), model: c.String("model"), output: c.String("output"), overwrite: c.Bool("overwrite"),
		epochs: c.Int("epochs"), batchSize: c.Int("batch-size"), units: c.Int("units"), seed: c.Uint64("seed"),
		rate: math.NaN(), workers: c.Int("workers"), json: c.Bool("json"),
		dataset: dataset.Options{Exact: c.Bool("split-exact"), Seed: c.Uint64("seed")},
		hyper: pipeline.Hyperparameters{
			Optimizer: c.String("optimizer"), Momentum: c.Float64("momentum"), WeightDecay: c.Float64("weight-decay"),
			L2: c.Float64("l2"), ClipNorm: c.Float64("clip-norm"), Dropout: c.Float64("dropout"),
		},
		stopping: schedule.EarlyStopping{Monitor: c.String("monitor"), MinDelta: c.Float64("min-delta"), Patience: c.Int("patience")},
	}
	if o.output == "" {
		o.output = defaultOutput(o.data)
	}
	if c.IsSet("units") && o.units == 0 {
		return o, pipeline.Errorf(pipeline.BadUsage, "--units 0: must be 1 or more")
	}
	if c.IsSet("lr") {
		o.rate = c.Float64("lr")
		if !(o.rate > 0) || math.IsInf(o.rate, 0) {
			return o, pipeline.Errorf(pipeline.BadUsage, "--lr %v: must be a number above 0", o.rate)
		}
	}
	if err := checkHyper(o.hyper, o.stopping.MinDelta); err != nil {
		return o, err
	}
	if o.stopping.Higher, err = checkMonitor(o.stopping.Monitor); err != nil {
		return o, err
	}
	if o.dataset.Split, err = parseSplit(c.String("split")); err != nil {
		return o, err
	}
	o.cache, err = newCacheOptions(c)
	return o, err
}

func checkHyper(h pipeline.Hyperparameters, minDelta float64) error {
	for _, f := range []struct {
		name  string
		value float64
		below float64
	}{
		{"momentum", h.Momentum, 1}, {"dropout", h.Dropout, 1}, {"weight-decay", h.WeightDecay, math.Inf(1)},
		{"l2", h.L2, math.Inf(1)}, {"clip-norm", h.ClipNorm, math.Inf(1)}, {"min-delta", minDelta, math.Inf(1)},
	} {
		if !(f.value >= 0 && f.value < f.below) {
			limit := "0 or more"
			if f.below == 1 {
				limit = "from 0 to below 1"
			}
			return pipeline.Errorf(pipeline.BadUsage, "--%s %v: must be %s", f.name, f.value, limit)
		}
	}
	return nil
}

// checkMonitor knows every figure of the history: a misspelt one would never
// improve. It returns whether more of it is better.
func checkMonitor(name string) (higher bool, err error) {
	known := []string{"loss", "accuracy"}
	for _, m := range metrics.Names() {
		known = append(known, "val_"+m)
	}
	if !slices.Contains(known, name) {
		return false, pipeline.Errorf(pipeline.BadUsage, "--monitor %q: must be one of %s", name, strings.Join(known, ", "))
	}
	return metrics.Higher(strings.TrimPrefix(name, "val_")), nil
}

// resolve fills in what the model decides, and checks what it cannot do.
func (o *fitOptions) resolve(model *savedmodels.Model) error {
	if err := model.Trainable(); err != nil {
		return err
	}
	d := model.Description
	if !slices.Contains(d.Optimizers, o.hyper.Optimizer) {
		return pipeline.Errorf(pipeline.BadUsage, "--optimizer %q: model %s has %s", o.hyper.Optimizer, model.Dir, strings.Join(d.Optimizers, ", "))
	}
	if math.IsNaN(o.rate) {
		o.rate = d.LearningRate
	}
	switch {
	case d.Head.Hidden == 0 && o.units != 0:
		return pipeline.Errorf(pipeline.BadUsage, "--units %d: model %s has a head without hidden layers (%s)", o.units, model.Dir, d.Head.Pooling)
	case d.Head.Hidden > 0 && o.units == 0:
		o.units = 256
	}
	return nil
}
