package pipeline

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
