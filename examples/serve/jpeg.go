package main

import "image"

// fancy reads the colours of a JPEG as libjpeg does by default, and so as TensorFlow and
// Pillow do. Go's own conversion repeats each sample of halved colour for two pixels.
// libjpeg takes three quarters of the nearest sample and one quarter of the next nearest
// in each direction that is halved, which it calls fancy upsampling. At an edge the
// nearest sample takes the place of the one that is missing.
func fancy(m *image.YCbCr) func(x, y int) (r, g, b uint8) {
	size := m.Rect.Size()
	wide, high := 1, 1 // pixels for each sample of colour
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		wide, high = 2, 2
	case image.YCbCrSubsampleRatio422:
		wide = 2
	case image.YCbCrSubsampleRatio440:
		high = 2
	case image.YCbCrSubsampleRatio411:
		wide = 4
	case image.YCbCrSubsampleRatio410:
		wide, high = 4, 2
	}
	columns, rows := (size.X+wide-1)/wide, (size.Y+high-1)/high
	smooth := wide == 1 && high == 2 || wide == 2 && columns > 2 // libjpeg repeats the others, too
	return func(x, y int) (r, g, b uint8) {
		at := y / high * m.CStride
		cb, cr := int(m.Cb[at+x/wide]), int(m.Cr[at+x/wide])
		if smooth {
			beside, next := x/wide, at
			if wide == 2 {
				beside = min(max(x/2+x%2*2-1, 0), columns-1) // the sample to the left of even pixels, to the right of odd ones
			}
			if high == 2 {
				next = min(max(y/2+y%2*2-1, 0), rows-1) * m.CStride
			}
			mix := func(c []uint8) int {
				near := 3*int(c[at+x/wide]) + int(c[next+x/wide])
				far := 3*int(c[at+beside]) + int(c[next+beside])
				switch { // the halves are rounded up and down in turn
				case wide == 1:
					return (near + 1 + y%2) / 4
				case high == 1: // near and far are four times their sample
					return (3*near/4 + far/4 + 1 + x%2) / 4
				}
				return (3*near + far + 8 - x%2) / 16
			}
			cb, cr = mix(m.Cb), mix(m.Cr)
		}
		return rgb(int(m.Y[y*m.YStride+x]), cb-128, cr-128)
	}
}

// rgb is JFIF's conversion with the factors of libjpeg: 1.402, 0.34414, 0.71414 and
// 1.772 times 65536, rounded.
func rgb(y, cb, cr int) (r, g, b uint8) {
	const half = 1 << 15
	clamp := func(v int) uint8 { return uint8(min(max(v, 0), 255)) }
	return clamp(y + (91881*cr+half)>>16), clamp(y + (-22554*cb-46802*cr+half)>>16), clamp(y + (116130*cb+half)>>16)
}
