package pipeline

import (
	"context"
	"math"
)

// Novelty says how unlike the training images an image is: the cosine distance of its
// features from those of the nearest class, over the distance that most familiar images
// keep. Above 1 an image is unfamiliar. Package pipeline/novelty finds one.
type Novelty struct {
	// Positions is how many values of each feature the head's inputs have; their mean is
	// taken. It is 1 unless the inputs are feature maps, flattened.
	Positions int
	Width     int       // the number of features
	Centers   []float32 // [classes,Width], row-major: the mean direction of each class, of length 1
	Limit     float32   // the distance that most familiar images keep; above 0
}

// feature takes the mean of feature maps over their positions.
func (n *Novelty) feature(inputs []float32, c int) float64 {
	if n.Positions == 1 {
		return float64(inputs[c])
	}
	sum := 0.0
	for i := c; i < len(inputs); i += n.Width {
		sum += float64(inputs[i])
	}
	return sum / float64(n.Positions)
}

// Direction is that of an image's features, from the inputs of the head. It is 0 if all
// of them are.
func (n *Novelty) Direction(inputs []float32) []float64 {
	direction, squares := make([]float64, n.Width), 0.0
	for c := range direction {
		v := n.feature(inputs, c)
		direction[c], squares = v, squares+v*v
	}
	length := math.Sqrt(max(squares, 1e-12)) // as TensorFlow's l2_normalize
	for c := range direction {
		direction[c] /= length
	}
	return direction
}

// Distance is the cosine distance from the nearest class, from 0 to 2.
func (n *Novelty) Distance(inputs []float32) float64 {
	direction, nearest := n.Direction(inputs), math.Inf(1)
	for at := 0; at < len(n.Centers); at += n.Width {
		apart := 0.0
		for c, v := range n.Centers[at : at+n.Width] {
			d := direction[c] - float64(v)
			apart += d * d
		}
		nearest = min(nearest, apart/2) // 1 minus the cosine of two directions, without rounding
	}
	return nearest
}

// Score is the novelty of an image, from the inputs of the head.
func (n *Novelty) Score(inputs []float32) float32 {
	return float32(n.Distance(inputs) / float64(n.Limit))
}

// HeadInputs calls use with the inputs of the head for each sample of a batch of
// features. Unlike Stage.HeadInputs it leaves the batch as it was.
func HeadInputs(ctx context.Context, stage Stage, features Batch, use func(i int, inputs []float32)) error {
	features.Recycle = nil
	inputs, err := stage.HeadInputs(ctx, features)
	if err != nil {
		return err
	}
	n := len(features.Samples)
	width := len(inputs.Data) / max(n, 1)
	for i := range n {
		use(i, inputs.Data[i*width:(i+1)*width])
	}
	return nil
}
