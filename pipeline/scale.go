package pipeline

import (
	"context"
	"math"
)

// scaleImages is the number of training images that decide the feature scale. It
// is rounded to a power of two, so more would not change it.
const scaleImages = 1024

// Scale returns the number by which a new head divides its inputs: FeatureScale,
// or if that is 0 their standard deviation over the training part, all inputs
// together.
//
// It is rounded to a power of two. Dividing by one is exact in every precision,
// and the number is the same wherever features are equal within rounding. It is 1
// if all inputs are equal.
func (p Plan) Scale(ctx context.Context, stage Stage, train Source) (float64, error) {
	return p.scale(ctx, stage, train, nil)
}

// scale is Scale in one of the processes of a cluster.
func (p Plan) scale(ctx context.Context, stage Stage, train Source, peers Peers) (float64, error) {
	if p.FeatureScale != 0 {
		return p.FeatureScale, nil
	}
	order := Order(p.Seed, 0, train.Len())
	var count, sum, squares float64
	for batch, err := range batches(ctx, train, 1, order[:min(len(order), scaleImages)], p.BatchSize) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return 0, err
		}
		inputs, err := stage.HeadInputs(ctx, batch)
		if err != nil {
			return 0, err
		}
		if batch.fillsUp() {
			continue
		}
		for _, v := range inputs.Data {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		count += float64(len(inputs.Data))
	}
	sums, err := total(peers, "feature scale", count, sum, squares)
	if err != nil {
		return 0, err
	}
	count, sum, squares = sums[0], sums[1], sums[2]
	mean := sum / count
	deviation := math.Sqrt(squares/count - mean*mean)
	if !(deviation > 0) || math.IsInf(deviation, 0) {
		return 1, nil
	}
	return math.Exp2(math.Round(math.Log2(deviation))), nil
}
