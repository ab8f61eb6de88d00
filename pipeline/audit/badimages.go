package audit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tftl/pipeline"
)

// Limits of images worth a look. Those of brightness and shape are cleanvision's;
// docs/audit.md says where the others come from.
const (
	darkBelow    = 0.32 // the brightness of nearly all pixels
	lightAbove   = 0.95
	blankBelow   = 0.02 // the range of each channel
	blurredBelow = 0.55 // sharpness
	tinyBelow    = 0.1  // pixels, as a share of the median
	oddBelow     = 0.35 // the shorter side by the longer one
)

// BadImages finds images that are blank, dark, overexposed, blurred, tiny or odd in
// shape. samples say which image each look is of. Tiny and odd is what differs from
// the other images, so all of the data set are needed. Each finding's score is how far
// it is beyond the limit, from 0 to 1. The findings are sorted by kind, then worst
// first, and have no part.
func BadImages(looks []Look, samples []pipeline.Sample, classes []string) ([]Finding, error) {
	if len(looks) != len(samples) {
		return nil, pipeline.Errorf(pipeline.Other, "looks of %d images for %d samples", len(looks), len(samples))
	}
	if len(looks) == 0 {
		return nil, nil
	}
	var areas, shapes []float64
	for _, l := range looks {
		areas, shapes = append(areas, l.area()), append(shapes, l.shape())
	}
	slices.Sort(areas)
	slices.Sort(shapes)
	usual := usual{area: quantile(areas, 0.5), shape: quantile(shapes, 0.5)}
	var found []Finding
	for i, l := range looks {
		for _, f := range usual.judge(l) {
			f.Image = samples[i].ID
			f.Score = min(max(f.Score, 0), 1)
			if label := samples[i].Label; label >= 0 && label < len(classes) {
				f.Label = classes[label]
			}
			found = append(found, f)
		}
	}
	kinds := Kinds()
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(b.Score, a.Score))
	})
	return found, nil
}

// usual is what most images of a data set are like.
type usual struct{ area, shape float64 }

func (l Look) area() float64 { return float64(l.Width) * float64(l.Height) }

// shape is the shorter side by the longer one.
func (l Look) shape() float64 {
	return float64(min(l.Width, l.Height)) / math.Max(float64(max(l.Width, l.Height)), 1)
}

// judge returns what is wrong with an image. One that is blank is nothing else that
// its pixels tell.
func (u usual) judge(l Look) (found []Finding) {
	below := func(kind Kind, value, limit float64, format string, args ...any) bool {
		if value < limit {
			found = append(found, Finding{Kind: kind, Score: 1 - value/limit, Detail: fmt.Sprintf(format, args...)})
		}
		return value < limit
	}
	if !below(Blank, l.Range, blankBelow, "98%% of the pixels differ by %.0f of 255 or less", 255*l.Range) {
		below(Dark, l.Brightest, darkBelow, "99%% of the pixels are darker than %.2f", l.Brightest)
		below(Overexposed, 1-l.Darkest, 1-lightAbove, "95%% of the pixels are brighter than %.2f", l.Darkest)
		below(Blurred, l.Sharpness, blurredBelow, "sharpness %.2f", l.Sharpness)
	}
	below(Tiny, l.area(), tinyBelow*u.area, "%d x %d pixels, where half of the images have more than %.0f", l.Width, l.Height, u.area)
	// In a set of panoramas, a panorama is not odd.
	below(OddShape, l.shape(), min(oddBelow, u.shape/2), "%d x %d pixels", l.Width, l.Height)
	return found
}
