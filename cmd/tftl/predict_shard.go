package main

import (
	"context"
	"encoding/json"
	"iter"
	"strconv"

	"tftl"
	"tftl/pipeline"
	"tftl/pipeline/report"
	"tftl/pipeline/shard"
	"tftl/pipeline/workflow/train"
)

// runShard writes what the model says of the shard's images. Which of them cannot be
// classified is for merge to say, and no error here: the shard is whole.
func (r predictRequest) runShard(ctx context.Context, shown *progress, model *tftl.Classifier, stream pipeline.Stream, images iter.Seq2[pipeline.Image, error]) error {
	h, err := model.ShardHeader(version)
	if err != nil {
		return err
	}
	h.Shard, h.Block, h.Classes = r.shard, r.batchSize, model.Classes()
	h.Facts[shard.Command] = shard.Predict
	h.Options["batch-size"], h.Options["on-bad-image"] = strconv.Itoa(r.batchSize), r.onBad
	h.Details, err = json.Marshal(report.Terms{Decision: model.Decision, Skip: r.onBad == train.SkipBadImages, Alone: r.alone()})
	if err != nil {
		return err
	}
	w, err := shard.NewWriter(shown.Out, h, flag)
	if err != nil {
		return err
	}
	var list shard.List
	bad, all := 0, 0
	for outcomes, err := range stream.Outcomes(ctx, r.shard.Images(images, r.batchSize, &list)) {
		if err != nil {
			return err
		}
		answers := make([]shard.Answer, len(outcomes))
		for i, o := range outcomes {
			if answers[i].Outcome = o; o.Err != nil {
				bad++
			}
		}
		all += len(outcomes)
		if err := w.Add(answers); err != nil {
			return err
		}
	}
	if bad > 0 {
		shown.warn("%d of the %d images of shard %v cannot be classified: tftl merge says which", bad, all, r.shard)
	}
	return w.End(&list, true)
}
