package audit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"tftl/pipeline"
)

// OutlierNeighbours is how many nearest neighbours decide whether an image is an
// outlier, as in cleanlab.
const OutlierNeighbours = 10

// An image is an outlier if its mean distance is above the third quartile of all
// images by more than farOut times the range between the quartiles. Tukey's 1.5 marks
// some images in most data sets without outliers; Hoaglin and Iglewicz (1987)
// recommend 2.2, with which few of those have any. Differences in distance below
// noRange mean nothing.
const (
	farOut  = 2.2
	noRange = 0.01
)

// Outliers finds images that are far from all others in feature space: those whose
// mean distance from their nearest neighbours is unusual in this data set. samples
// say which image each vector is of. The findings are worst first, without a part.
func Outliers(ctx context.Context, v Vectors, samples []pipeline.Sample, classes []string) ([]Finding, error) {
	if len(samples) != v.Len() {
		return nil, pipeline.Errorf(pipeline.BadModel, "features of %d images for %d samples", v.Len(), len(samples))
	}
	near, err := Neighbours(ctx, v, OutlierNeighbours)
	if err != nil || near.K == 0 {
		return nil, err
	}
	distances := near.mean()
	limit := outlierLimit(distances)
	var found []Finding
	for i, distance := range distances {
		if distance <= limit {
			continue
		}
		nearest, _ := near.Of(i)
		f := Finding{
			Image: samples[i].ID, Kind: Outlier, Score: min(distance, 1), Others: []string{samples[nearest[0]].ID},
			Detail: fmt.Sprintf("mean distance %.3f from its %d nearest, others below %.3f", distance, near.K, limit),
		}
		if label := samples[i].Label; label >= 0 && label < len(classes) {
			f.Label = classes[label]
		}
		found = append(found, f)
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(b.Score, a.Score) })
	return found, nil
}

// mean is the mean distance of each vector from its nearest.
func (n Nearest) mean() []float64 {
	if n.K == 0 {
		return nil
	}
	means := make([]float64, len(n.Distance)/n.K)
	for i := range means {
		_, distances := n.Of(i)
		for _, d := range distances {
			means[i] += float64(d)
		}
		means[i] /= float64(n.K)
	}
	return means
}

// outlierLimit is the largest mean distance of an image that is no outlier.
func outlierLimit(distances []float64) float64 {
	sorted := slices.Sorted(slices.Values(distances))
	first, third := quantile(sorted, 0.25), quantile(sorted, 0.75)
	return third + farOut*max(third-first, noRange)
}

// quantile interpolates between sorted values, as numpy does.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(math.Floor(at))
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
