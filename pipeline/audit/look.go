package audit

import (
	"math"
	"slices"
)

// lookSide is the longest side to which an image is shrunk before it is looked at.
const lookSide = 128

// Look is what an image's pixels look like. Brightness is from 0 to 1.
type Look struct {
	Width, Height int
	Darkest       float64 // the brightness below which 5% of the pixels are
	Brightest     float64 // that above which 1% are
	Range         float64 // of the channel that varies most, without 1% at each end; from 0 to 1
	Sharpness     float64 // of the edges at 128 pixels; about 0.95 for a sharp photograph and 0.3 for a blurred one
}

// LookAt measures a decoded image: three bytes per pixel, row by row.
func LookAt(rgb []byte, width, height int) Look {
	look := Look{Width: width, Height: height}
	if width < 1 || height < 1 {
		return look
	}
	small := shrink(rgb, width, height)
	brightness := make([]float64, len(small.grey))
	for i := range brightness {
		r, g, b := small.channels[0][i], small.channels[1][i], small.channels[2][i]
		brightness[i] = math.Sqrt(0.241*r*r+0.691*g*g+0.068*b*b) / 255
	}
	slices.Sort(brightness)
	look.Darkest, look.Brightest = quantile(brightness, 0.05), quantile(brightness, 0.99)
	look.Sharpness = small.sharpness()
	for _, channel := range small.channels {
		slices.Sort(channel)
		look.Range = max(look.Range, (quantile(channel, 0.99)-quantile(channel, 0.01))/255)
	}
	return look
}

// small is an image that was shrunk. Values are from 0 to 255.
type small struct {
	width, height int
	channels      [3][]float64
	grey          []float64
}

// shrink makes an image at most lookSide wide and high, in its shape. Each pixel is the
// mean of its area. A smaller image stays as it is.
func shrink(rgb []byte, width, height int) small {
	side := func(n int) int {
		longest := max(width, height, lookSide)
		return max(int(math.Round(float64(n)*lookSide/float64(longest))), 1)
	}
	s := small{width: side(width), height: side(height)}
	if max(width, height) <= lookSide {
		s.width, s.height = width, height
	}
	for c := range s.channels {
		s.channels[c] = make([]float64, s.width*s.height)
	}
	across, down := shares(width, s.width), shares(height, s.height)
	row := make([]float64, 3*s.width)
	for y, to := range down {
		clear(row)
		for x, at := range across {
			pixel := rgb[3*(y*width+x):]
			for c, v := range pixel[:3] {
				row[3*at.first+c] += float64(v) * at.share
				if at.rest > 0 {
					row[3*at.first+3+c] += float64(v) * at.rest
				}
			}
		}
		for i, v := range row {
			channel, x := s.channels[i%3], i/3
			channel[to.first*s.width+x] += v * to.share
			if to.rest > 0 {
				channel[(to.first+1)*s.width+x] += v * to.rest
			}
		}
	}
	s.grey = make([]float64, s.width*s.height)
	for i := range s.grey {
		s.grey[i] = 0.299*s.channels[0][i] + 0.587*s.channels[1][i] + 0.114*s.channels[2][i]
	}
	return s
}

// share says to which places a pixel goes when a row is shrunk: to first and, with
// the rest, to the next.
type share struct {
	first       int
	share, rest float64
}

// shares divides n pixels among fewer or as many places. Those of a place add up to 1.
func shares(n, places int) []share {
	list := make([]share, n)
	scale := float64(places) / float64(n)
	for i := range list {
		from, to := i*places, (i+1)*places // in units of 1/n of a place
		s := share{first: from / n, share: scale}
		if edge := (s.first + 1) * n; to > edge && s.first+1 < places {
			s.rest = float64(to-edge) / float64(n)
			s.share = scale - s.rest
		}
		list[i] = s
	}
	return list
}

// sharpness is the root of the mean squared Laplacian by the mean squared gradient of
// the grey image: the usual variance of the Laplacian, made independent of contrast,
// brightness and how much of the image is smooth. Smoothing first makes it less
// sensitive to noise.
func (s small) sharpness() float64 {
	if s.width < 3 || s.height < 3 {
		return 0
	}
	smooth(s.grey, s.height, s.width, 1, s.width)
	smooth(s.grey, s.width, s.height, s.width, 1)
	var first, second float64
	for y := 1; y < s.height-1; y++ {
		for x := 1; x < s.width-1; x++ {
			at := y*s.width + x
			left, right, up, down := s.grey[at-1], s.grey[at+1], s.grey[at-s.width], s.grey[at+s.width]
			dx, dy, laplacian := (right-left)/2, (down-up)/2, left+right+up+down-4*s.grey[at]
			first += dx*dx + dy*dy
			second += laplacian * laplacian
		}
	}
	return math.Sqrt(second / max(first, 1))
}

// smooth replaces each value of each line by a weighted mean with its neighbours, in
// place: 1, 2, 1. Values of a line are step apart, lines are next apart.
func smooth(values []float64, lines, length, step, next int) {
	for line := range lines {
		before := values[line*next]
		for i := range length {
			at := line*next + i*step
			value, after := values[at], values[line*next+min(i+1, length-1)*step]
			values[at] = (before + 2*value + after) / 4
			before = value
		}
	}
}
