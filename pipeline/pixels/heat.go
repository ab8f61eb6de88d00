package pixels

import (
	"image"
	"image/color"

	"golang.org/x/image/draw"

	"tftl/pipeline"
)

// heatScale is the pixels per cell of a heat map in its overlay: enough to hide
// the cells' edges when the overlay is stretched over the image.
const heatScale = 8

// heatOverlay paints heat map i, to be stretched over its image. It is clear at
// 0, then violet, orange and yellow, which differ in lightness as well.
func heatOverlay(heat pipeline.HeatMaps, i int) *image.NRGBA {
	cells := image.NewGray16(image.Rect(0, 0, heat.Width, heat.Height))
	for k, v := range heat.Of(i) {
		cells.SetGray16(k%heat.Width, k/heat.Width, color.Gray16{Y: uint16(min(max(v, 0), 1) * 0xffff)})
	}
	smooth := image.NewGray16(image.Rect(0, 0, heatScale*heat.Width, heatScale*heat.Height))
	draw.CatmullRom.Scale(smooth, smooth.Bounds(), cells, cells.Bounds(), draw.Src, nil)
	overlay := image.NewNRGBA(smooth.Bounds())
	for y := range overlay.Rect.Dy() {
		for x := range overlay.Rect.Dx() {
			overlay.SetNRGBA(x, y, heatColor(float64(smooth.Gray16At(x, y).Y)/0xffff))
		}
	}
	return overlay
}

// heatColor interpolates the colour of a value from 0 to 1.
func heatColor(v float64) color.NRGBA {
	ramp := [...]color.NRGBA{
		{R: 40, G: 10, B: 80}, {R: 87, G: 16, B: 110, A: 110}, {R: 188, G: 55, B: 84, A: 150}, {R: 249, G: 142, B: 9, A: 175}, {R: 252, G: 240, B: 120, A: 190},
	}
	at := v * float64(len(ramp)-1)
	k := min(int(at), len(ramp)-2)
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (at-float64(k))*(float64(b)-float64(a)) + 0.5) }
	a, b := ramp[k], ramp[k+1]
	return color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: mix(a.A, b.A)}
}
