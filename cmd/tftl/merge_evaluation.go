package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"tftl"
	"tftl/pipeline"
	"tftl/pipeline/report"
	"tftl/pipeline/shard"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
	"tftl/savedmodels"
)

// mergeEvaluation does what evaluate does once it has predicted.
func mergeEvaluation(c *cli.Context, t terminal, set *shard.Set) error {
	err := errors.Join(requireFlags(c, "model"), notWith(c, "is for shards of tftl predict", "csv"),
		notWith(c, "needs all images at once: use tftl evaluate; the run keeps it", "novelty"))
	if err != nil {
		return err
	}
	r, err := evaluateRequest{Request: evaluate.NewRequest(c.String("model"))}.measured(c)
	if err != nil {
		return err
	}
	if digest, err := tftl.ModelDigest(r.Model); err != nil {
		return err
	} else if digest != set.Facts[shard.Model] {
		return pipeline.Errorf(pipeline.BadData, "%s: the shards are of another model than %s", c.Args().First(), r.Model)
	}
	env, shown := environment(t)
	defer shown.end()
	result, err := evaluate.Merge(c.Context, r.Request, set, env)
	if err != nil {
		return err
	}
	defer result.Close()
	shown.end()
	t.warnOfProbabilities(savedmodels.Plain{Output: set.Options["model-output"]}, result.LikeProbabilities)
	if err = result.Keep(c.Context); err == nil && result.Kept() {
		err = r.picture(c.Context, result, env)
	}
	if err := errors.Join(err, r.outputs.write(r.Model, result.Report), r.print(t, result.Report)); err != nil {
		return err
	}
	return report.TellGates(result.Report.Gates, t.say, t.warn)
}

// picture writes the report, with pictures if the images are here.
func (r evaluateRequest) picture(ctx context.Context, result *evaluate.Result, env workflow.Env) error {
	if err := result.Find(ctx); err != nil {
		env.Say("the report has no pictures: %v", err)
		return result.Describe(ctx)
	}
	model, err := tftl.OpenMeasured(r.Model, r.open, train.Cache{}, env)
	if err != nil {
		return err
	}
	defer model.Close()
	painter := model.Painter()
	defer painter.Close()
	return result.Illustrate(ctx, painter)
}
