package pipeline

import "context"

// HeatMaps show which regions of images support a class: Grad-CAM on the
// network's last feature maps. The largest value of each map is 1. If nothing
// supports the class, the map is 0 everywhere.
type HeatMaps struct {
	Height, Width int       // of the feature maps, much smaller than the image
	Data          []float32 // [N,Height,Width]
}

// Of returns the heat map of image i.
func (h HeatMaps) Of(i int) []float32 {
	size := h.Height * h.Width
	return h.Data[i*size : (i+1)*size]
}

// Append adds the heat maps of further images of the same network.
func (h *HeatMaps) Append(more HeatMaps) {
	h.Height, h.Width, h.Data = more.Height, more.Width, append(h.Data, more.Data...)
}

// Explainer is a Stage that may be able to show which regions of images support a
// class, without running its frozen part on them again.
type Explainer interface {
	// Explains reports whether it really can: not every export has what it takes.
	Explains() bool
	// LosesMaps reports whether Explain takes the network's last feature maps,
	// because the features do not tell them. Otherwise it takes the features.
	LosesMaps() bool
	// FeaturesAndMaps is Features, with the maps that the features lose.
	FeaturesAndMaps(ctx context.Context, images Batch) (features, maps Batch, err error)
	// Explain returns the heat map of each image for the class given for it.
	Explain(ctx context.Context, from Batch, classes []int) (HeatMaps, error)
}
