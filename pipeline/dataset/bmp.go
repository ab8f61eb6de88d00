package dataset

import "encoding/binary"

// bmpHeader is the length of a BMP file up to its pixels.
const bmpHeader = 14 + 40

// bmp encodes pixels as a file that any decoder reads exactly: 24 bits each,
// rows from the bottom up, blue first. planes holds all of red, then green,
// then blue, row by row from the top. width must be a multiple of 4, as a BMP
// pads its rows.
func bmp(planes []byte, width, height int) []byte {
	size := width * height
	out := make([]byte, bmpHeader, bmpHeader+3*size)
	copy(out, "BM")
	put32 := func(at int, v int) { binary.LittleEndian.PutUint32(out[at:], uint32(v)) }
	put32(2, cap(out))
	put32(10, bmpHeader)
	put32(14, 40) // the second header's length
	put32(18, width)
	put32(22, height)
	out[26], out[28] = 1, 24 // planes, bits per pixel
	put32(34, 3*size)
	put32(38, 3780) // pixels per metre: 96 per inch
	put32(42, 3780)
	for y := height - 1; y >= 0; y-- {
		for at := y * width; at < (y+1)*width; at++ {
			out = append(out, planes[2*size+at], planes[size+at], planes[at])
		}
	}
	return out
}
