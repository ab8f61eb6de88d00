package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"

	"golang.org/x/image/draw"
)

// heatScale is how many pixels of an overlay a cell of a heat map becomes: as
// many as make its steps invisible once it lies over an image.
const heatScale = 8

// paintHeat makes a PNG of a heat map's overlay.
func paintHeat(heat []float32, height, width int) ([]byte, error) {
	var out bytes.Buffer
	err := png.Encode(&out, heatOverlay(heat, height, width))
	return out.Bytes(), err
}

// heatOverlay makes a picture of a heat map with values from 0 to 1, to be
// stretched over the image: clear where nothing is, then violet, orange, yellow,
// which differ in lightness too.
func heatOverlay(heat []float32, height, width int) *image.NRGBA {
	cells := image.NewGray16(image.Rect(0, 0, width, height))
	for i, v := range heat {
		cells.SetGray16(i%width, i/width, color.Gray16{Y: uint16(min(max(v, 0), 1) * 0xffff)})
	}
	smooth := image.NewGray16(image.Rect(0, 0, heatScale*width, heatScale*height))
	draw.CatmullRom.Scale(smooth, smooth.Bounds(), cells, cells.Bounds(), draw.Src, nil)
	overlay := image.NewNRGBA(smooth.Bounds())
	for y := range overlay.Rect.Dy() {
		for x := range overlay.Rect.Dx() {
			overlay.SetNRGBA(x, y, heatColor(float64(smooth.Gray16At(x, y).Y)/0xffff))
		}
	}
	return overlay
}

// heatColor is a value's colour, between two of the ramp.
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
