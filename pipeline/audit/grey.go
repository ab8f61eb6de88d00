package audit

import "math"

// grey is a grey picture of any size, row by row, with values from 0 to 255.
type grey struct {
	width, height int
	values        []float32
}

func newGrey(width, height int) grey {
	return grey{width, height, make([]float32, width*height)}
}

// taps are the pixels of a line that a pixel of the shrunk line is made of.
type taps struct {
	from    int
	weights []float32
}

// triangle says how a line of n pixels becomes one of m: each new pixel is a weighted
// mean of the old ones around its place, so that nothing is left out when the line gets
// shorter. Longer lines are interpolated.
func triangle(n, m int) []taps {
	all := make([]taps, m)
	scale := float64(n) / float64(m)
	reach := max(scale, 1)
	for i := range all {
		middle := (float64(i)+0.5)*scale - 0.5
		from, to := max(int(math.Ceil(middle-reach)), 0), min(int(math.Floor(middle+reach)), n-1)
		weights, sum := make([]float32, 0, to-from+1), 0.0
		for x := from; x <= to; x++ {
			w := max(0, 1-math.Abs(float64(x)-middle)/reach)
			weights, sum = append(weights, float32(w)), sum+w
		}
		for k := range weights {
			weights[k] /= float32(sum)
		}
		all[i] = taps{from, weights}
	}
	return all
}

// resize makes a picture of another size from rows that are asked for one after the
// other. A row is valid until the next one is asked for.
func resize(row func(y int) []float32, from, to [2]int) grey {
	across, down := triangle(from[0], to[0]), triangle(from[1], to[1])
	out := newGrey(to[0], to[1])
	narrow := make([]float32, to[0])
	first := 0 // the first new row that an old row can still belong to
	for y := range from[1] {
		line := row(y)
		for x, t := range across {
			sum := float32(0)
			part := line[t.from : t.from+len(t.weights)]
			for k, w := range t.weights {
				sum += w * part[k]
			}
			narrow[x] = sum
		}
		for first < to[1] && down[first].from+len(down[first].weights) <= y {
			first++
		}
		for i := first; i < to[1] && down[i].from <= y; i++ {
			w := down[i].weights[y-down[i].from]
			into := out.values[i*to[0] : (i+1)*to[0]]
			for x, v := range narrow {
				into[x] += w * v
			}
		}
	}
	return out
}

// to resizes a picture.
func (g grey) to(width, height int) grey {
	return resize(func(y int) []float32 { return g.values[y*g.width : (y+1)*g.width] }, [2]int{g.width, g.height}, [2]int{width, height})
}

// luma makes a picture of a size from an image.
func luma(d decoded, width, height int) grey {
	line := make([]float32, d.width)
	return resize(func(y int) []float32 {
		rgb := d.rgb[3*y*d.width : 3*(y+1)*d.width]
		for x := range line {
			line[x] = 0.299*float32(rgb[3*x]) + 0.587*float32(rgb[3*x+1]) + 0.114*float32(rgb[3*x+2])
		}
		return line
	}, [2]int{d.width, d.height}, [2]int{width, height})
}

// blur smooths a picture with a Gaussian. Beyond the edge it goes on as at the edge.
func (g grey) blur(sigma float64) grey {
	radius := int(math.Ceil(3 * sigma))
	kernel, sum := make([]float32, 2*radius+1), float32(0)
	for i := range kernel {
		d := float64(i - radius)
		kernel[i] = float32(math.Exp(-d * d / (2 * sigma * sigma)))
		sum += kernel[i]
	}
	for i := range kernel {
		kernel[i] /= sum
	}
	rows := newGrey(g.width, g.height)
	line := make([]float32, g.width+2*radius)
	for y := range g.height {
		row := g.values[y*g.width : (y+1)*g.width]
		copy(line[radius:], row)
		for k := range radius {
			line[k], line[radius+g.width+k] = row[0], row[g.width-1]
		}
		out := rows.values[y*g.width : (y+1)*g.width]
		for k, w := range kernel {
			for x, v := range line[k : k+g.width] {
				out[x] += w * v
			}
		}
	}
	blurred := newGrey(g.width, g.height)
	for y := range g.height {
		out := blurred.values[y*g.width : (y+1)*g.width]
		for k, w := range kernel {
			at := min(max(y+k-radius, 0), g.height-1)
			for x, v := range rows.values[at*g.width : (at+1)*g.width] {
				out[x] += w * v
			}
		}
	}
	return blurred
}

// half takes every other pixel of a blurred picture.
func (g grey) half() grey {
	h := newGrey((g.width+1)/2, (g.height+1)/2)
	for y := range h.height {
		for x := range h.width {
			h.values[y*h.width+x] = g.values[2*y*g.width+2*x]
		}
	}
	return h
}

// at interpolates between four pixels. The place must be inside, from 0 to the size
// minus 1.
func (g grey) at(x, y float32) float32 {
	left, top := min(int(x), g.width-2), min(int(y), g.height-2)
	dx, dy := x-float32(left), y-float32(top)
	i := top*g.width + left
	upper := g.values[i] + dx*(g.values[i+1]-g.values[i])
	lower := g.values[i+g.width] + dx*(g.values[i+g.width+1]-g.values[i+g.width])
	return upper + dy*(lower-upper)
}

// spread is the standard deviation of the values.
func (g grey) spread() float64 {
	var m moments
	for _, v := range g.values {
		m.add(float64(v), 0)
	}
	s, _ := m.spread()
	return s
}

// orientation is one of the eight ways to mirror a picture and to turn it by 90 degrees:
// it is transposed if bit 2 is set, then mirrored left to right if bit 0 is, then top to
// bottom if bit 1 is.
type orientation uint8

const (
	leftRight orientation = 1 << iota
	topBottom
	transposed
)

// words says what was done to a picture that has to be brought into this orientation to
// look like the original.
func (o orientation) words() string {
	switch o {
	case leftRight:
		return "mirrored"
	case topBottom:
		return "mirrored top to bottom"
	case leftRight | topBottom:
		return "rotated by 180°"
	case transposed | leftRight: // a quarter clockwise undoes it
		return "rotated by 90° to the left"
	case transposed | topBottom:
		return "rotated by 90° to the right"
	case transposed, transposed | leftRight | topBottom:
		return "mirrored and rotated by 90°"
	}
	return ""
}

// turn brings a picture into an orientation.
func (g grey) turn(o orientation) grey {
	if o == 0 {
		return g
	}
	t := newGrey(g.width, g.height)
	if o&transposed != 0 {
		t.width, t.height = g.height, g.width
	}
	for y := range t.height {
		for x := range t.width {
			fromX, fromY := x, y
			if o&leftRight != 0 {
				fromX = t.width - 1 - x
			}
			if o&topBottom != 0 {
				fromY = t.height - 1 - y
			}
			if o&transposed != 0 {
				fromX, fromY = fromY, fromX
			}
			t.values[y*t.width+x] = g.values[fromY*g.width+fromX]
		}
	}
	return t
}

// point is where a point of a picture of this size is after turning.
func (o orientation) point(x, y float32, width, height int) (float32, float32) {
	w, h := float32(width), float32(height)
	if o&transposed != 0 {
		x, y, w, h = y, x, h, w
	}
	if o&leftRight != 0 {
		x = w - 1 - x
	}
	if o&topBottom != 0 {
		y = h - 1 - y
	}
	return x, y
}
