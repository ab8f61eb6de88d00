// Command evaluations evaluates a run many times in one process, as `tftl evaluate`
// does: each time it opens the network, measures, and writes figures, pictures and
// reports. It prints a line after each. soak.py watches its memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"tftl"
	_ "tftl/internal/quiet"
	"tftl/pipeline/features"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
)

func main() {
	run := flag.String("run", "", "run folder")
	cache := flag.String("cache", "", "folder of the feature cache")
	times := flag.Int("times", 1000, "how often to evaluate")
	flag.Parse()
	for i := range *times {
		if err := once(context.Background(), *run, *cache); err != nil {
			fmt.Fprintln(os.Stderr, "evaluations:", err)
			os.Exit(1)
		}
		fmt.Println(i + 1)
	}
}

func once(ctx context.Context, run, cache string) (err error) {
	env := tftl.Env("evaluations")
	model, err := tftl.OpenMeasured(run, tftl.Options{}, train.Cache{Options: features.Options{Dir: cache}}, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	request := evaluate.NewRequest(run)
	request.Resamples, request.Illustrated = 50, true
	result, err := evaluate.Run(ctx, request, model, env)
	if err != nil {
		return err
	}
	if err := result.Keep(ctx); err != nil {
		return err
	}
	painter := model.Painter()
	defer painter.Close()
	return result.Illustrate(ctx, painter)
}
