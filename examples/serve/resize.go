package main

import "math"

// input is how the network wants its images: the object of that name in tftl.json.
type input struct {
	Size          [2]int `json:"size"` // height, width
	Interpolation string `json:"interpolation"`
	Fit           string `json:"fit"` // stretch, crop or pad
}

// pixels returns the image as the model takes it, float32 [height,width,3] from 0 to 255.
// Bilinear resizing is done here, so that images of any size share a batch and only a
// small one waits for it. What needs another interpolation goes to the model as it is,
// which can resize too.
func (in input) pixels(p picture) tensor {
	if in.resizedByModel() {
		return whole(p)
	}
	height, width := in.Size[0], in.Size[1]
	t := newTensor(height, width)
	switch in.Fit {
	case "crop":
		// The middle in the network's aspect ratio, as Keras' smart_resize has it.
		middle := func(side, other, want, wantOther int) int {
			return max(min(side, int(float32(other*want)/float32(wantOther))), 1)
		}
		h, w := middle(p.height, p.width, height, width), middle(p.width, p.height, width, height)
		top, left := (p.height-h)/2, (p.width-w)/2
		t.bilinear(picture{w, h, func(x, y int) (r, g, b uint8) { return p.at(left+x, top+y) }}, 0, 0, height, width)
	case "pad":
		// All of it between black bars, as in resize_with_pad.
		shrink := max(float32(p.height)/float32(height), float32(p.width)/float32(width))
		inner := func(side, want int) (length, before int) {
			scaled := float32(side) / shrink
			length = max(int(math.Floor(float64(scaled))), 1)
			before = int(math.Floor(float64((float32(want) - scaled) / 2)))
			return length, min(max(before, 0), want-length)
		}
		h, top := inner(p.height, height)
		w, left := inner(p.width, width)
		t.bilinear(p, top, left, h, w)
	default:
		t.bilinear(p, 0, 0, height, width)
	}
	return t
}

// tensor is an image as a model takes it.
type tensor struct {
	height, width int
	data          []float32
}

func newTensor(height, width int) tensor {
	return tensor{height, width, make([]float32, height*width*3)}
}

func whole(p picture) tensor {
	t := newTensor(p.height, p.width)
	for i := 0; i < len(t.data); i += 3 {
		r, g, b := p.at(i/3%p.width, i/3/p.width)
		t.data[i], t.data[i+1], t.data[i+2] = float32(r), float32(g), float32(b)
	}
	return t
}

// between is where a row or column of the result comes from: two neighbours, and how far
// it is from the first to the second.
type between struct {
	from, to int
	at       float32
}

// along are the places for all rows or columns, with TensorFlow's half-pixel centres.
func along(in, out int) []between {
	list := make([]between, out)
	scale := float32(in) / float32(out)
	for i := range list {
		x := float32((float32(i)+0.5)*scale) - 0.5
		low := float32(math.Floor(float64(x)))
		list[i] = between{max(int(low), 0), min(max(int(math.Ceil(float64(x))), 0), in-1), x - low}
	}
	return list
}

// bilinear resizes a picture into a rectangle of t as tf.image.resize does, without
// antialiasing and in float32, to the last bit. Conversions to float32 keep processors
// from rounding once where TensorFlow rounds twice.
func (t tensor) bilinear(p picture, top, left, height, width int) {
	columns := along(p.width, width)
	for y, row := range along(p.height, height) {
		into := t.data[((top+y)*t.width+left)*3:]
		for x, column := range columns {
			mix := func(from, to, at float32) float32 { return from + float32((to-from)*at) }
			r00, g00, b00 := p.at(column.from, row.from)
			r01, g01, b01 := p.at(column.to, row.from)
			r10, g10, b10 := p.at(column.from, row.to)
			r11, g11, b11 := p.at(column.to, row.to)
			four := func(a, b, c, d uint8) float32 {
				return mix(mix(float32(a), float32(b), column.at), mix(float32(c), float32(d), column.at), row.at)
			}
			into[3*x], into[3*x+1], into[3*x+2] = four(r00, r01, r10, r11), four(g00, g01, g10, g11), four(b00, b01, b10, b11)
		}
	}
}

// resizedByModel says that the model gets whole images.
func (in input) resizedByModel() bool { return in.Interpolation != "bilinear" }
