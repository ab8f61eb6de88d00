package audit

import (
	"image"
	"image/draw"
	"math"
	"slices"
)

// lookSide is the longest side to which an image is shrunk before it is looked at.
const lookSide = 128

// Look is what an image's pixels look like. Brightness is from 0 to 1.
type Look struct {
	Width, Height int     // as stored
	Darkest       float64 // the brightness below which 5% of the pixels are
	Brightest     float64 // that above which 1% are
	Range         float64 // of the channel that varies most, without 1% at each end; from 0 to 1
	Sharpness     float64 // of the edges at 128 pixels; about 0.95 for a sharp photograph and 0.3 for a blurred one
}

// LookAt measures an image. size is that of the image as stored, in case its pixels
// were shrunk or stretched when they were decoded. Transparency is ignored.
func LookAt(img image.Image, size image.Point) Look {
	look := Look{Width: size.X, Height: size.Y}
	if img.Bounds().Empty() || size.X < 1 || size.Y < 1 {
		return look
	}
	small := shrink(img, size)
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

// shrink makes an image at most lookSide wide and high, in the shape of size. Each
// pixel is the mean of its area. No side gets longer.
func shrink(img image.Image, size image.Point) small {
	bounds := img.Bounds()
	side := func(stored, decoded int) int {
		longest := float64(max(size.X, size.Y))
		return max(min(int(math.Round(float64(stored)*min(lookSide/longest, 1))), decoded), 1)
	}
	s := small{width: side(size.X, bounds.Dx()), height: side(size.Y, bounds.Dy())}
	for c := range s.channels {
		s.channels[c] = make([]float64, s.width*s.height)
	}
	across, down := shares(bounds.Dx(), s.width), shares(bounds.Dy(), s.height)
	pixels := image.NewRGBA(image.Rect(0, 0, bounds.Dx(), 1))
	row := make([]float64, 3*s.width)
	for y, to := range down {
		readRow(pixels, img, y)
		clear(row)
		for x, at := range across {
			for c := range 3 {
				v := float64(pixels.Pix[4*x+c])
				row[3*at.first+c] += v * at.share
				if at.rest > 0 {
					row[3*at.first+3+c] += v * at.rest
				}
			}
		}
		for x := range s.width {
			for c := range 3 {
				s.channels[c][to.first*s.width+x] += row[3*x+c] * to.share
				if to.rest > 0 {
					s.channels[c][(to.first+1)*s.width+x] += row[3*x+c] * to.rest
				}
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

// readRow reads row y of an image, the colours under transparent pixels included if
// the image has kept them.
func readRow(into *image.RGBA, img image.Image, y int) {
	bounds := img.Bounds()
	if n, ok := img.(*image.NRGBA); ok {
		at := n.PixOffset(bounds.Min.X, bounds.Min.Y+y)
		copy(into.Pix, n.Pix[at:at+4*bounds.Dx()])
		return
	}
	draw.Draw(into, into.Bounds(), img, image.Pt(bounds.Min.X, bounds.Min.Y+y), draw.Src)
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
