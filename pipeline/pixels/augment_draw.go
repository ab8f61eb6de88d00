package pixels

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"tftl/pipeline"
)

// Draw is what one image is given in one epoch, under the names that Keras'
// ImageDataGenerator has for it; random resized crop and contrast are not
// Keras'. What is nil was not asked for.
type Draw struct {
	Theta          float64    `json:"theta"` // degrees
	TX             float64    `json:"tx"`    // pixels along the width
	TY             float64    `json:"ty"`    // pixels along the height
	Shear          float64    `json:"shear"` // degrees
	ZX             float64    `json:"zx"`    // factor along the width
	ZY             float64    `json:"zy"`    // factor along the height
	FlipHorizontal bool       `json:"flip_horizontal"`
	FlipVertical   bool       `json:"flip_vertical"`
	Crop           [4]float64 `json:"crop"` // left, top, width, height, as fractions of the image
	ChannelShift   *float64   `json:"channel_shift_intensity,omitempty"`
	Brightness     *float64   `json:"brightness,omitempty"`
	Contrast       *float64   `json:"contrast,omitempty"`
}

// draw is a pure function: neither the order in which images are asked for nor
// how many at a time changes it. Every figure takes a number of its own from
// the stream, asked for or not, so that one more option leaves the others as
// they were.
func draw(a pipeline.Augmentation, seed uint64, epoch int, id string, height, width int) Draw {
	random := newStream(seed, epoch, id)
	var d Draw
	d.Theta = random.either(a.RotationRange)
	d.TX = random.either(inPixels(a.WidthShiftRange, width))
	d.TY = random.either(inPixels(a.HeightShiftRange, height))
	d.Shear = random.either(a.ShearRange)
	d.ZX = random.factor(a.ZoomRange)
	d.ZY = random.factor(a.ZoomRange)
	d.FlipHorizontal = random.unit() < 0.5 && a.HorizontalFlip
	d.FlipVertical = random.unit() < 0.5 && a.VerticalFlip
	d.Crop = random.crop(a.RandomResizedCrop)
	shift, brightness, contrast := random.either(a.ChannelShiftRange), random.factor(a.BrightnessRange), random.factor(a.ContrastRange)
	if a.ChannelShiftRange != 0 {
		d.ChannelShift = &shift
	}
	if a.BrightnessRange.Change() {
		d.Brightness = &brightness
	}
	if a.ContrastRange.Change() {
		d.Contrast = &contrast
	}
	return d
}

// inPixels is a shift range in pixels: Keras takes what is below 1 for a fraction.
func inPixels(shift float64, size int) float64 {
	if shift < 1 {
		return shift * float64(size)
	}
	return shift
}

// stream is the random numbers of one image in one epoch.
type stream struct{ source *rand.PCG }

func newStream(seed uint64, epoch int, id string) stream {
	sum := sha256.Sum256(fmt.Appendf(nil, "augment %d %d %s", seed, epoch, id))
	return stream{rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16]))}
}

// unit is uniform from 0 to below 1. It is written out, for Go promises PCG's
// stream but not what rand.Float64 makes of it.
func (s stream) unit() float64 { return float64(s.source.Uint64()>>11) / (1 << 53) }

// between is uniform from low to below high. The conversion keeps the product
// from being fused with the sum, which would round otherwise on other machines.
func (s stream) between(low, high float64) float64 { return low + float64(s.unit()*(high-low)) }

func (s stream) either(limit float64) float64 { return s.between(-limit, limit) }

func (s stream) factor(limits pipeline.Factors) float64 {
	if !limits.Change() {
		limits = pipeline.Factors{1, 1}
	}
	return s.between(limits[0], limits[1])
}

// crop keeps an area within limits. Its width to its height, beside the
// image's, is from 3/4 to 4/3 on a logarithmic scale, or as near to that as
// fits into the image.
func (s stream) crop(limits pipeline.Factors) [4]float64 {
	area := s.factor(limits)
	widest := min(math.Log(4.0/3), -math.Log(area))
	aspect := math.Exp(s.either(widest))
	width, height := min(math.Sqrt(area*aspect), 1), min(math.Sqrt(area/aspect), 1)
	return [4]float64{s.between(0, 1-width), s.between(0, 1-height), width, height}
}

// matrix is an affine map of points (x, y, 1).
type matrix [3][3]float64

func (m matrix) times(n matrix) (product matrix) {
	for i := range m {
		for j := range n {
			for k := range n {
				product[i][j] += m[i][k] * n[k][j]
			}
		}
	}
	return product
}

func moved(x, y float64) matrix  { return matrix{{1, 0, x}, {0, 1, y}, {0, 0, 1}} }
func scaled(x, y float64) matrix { return matrix{{x, 0, 0}, {0, y, 0}, {0, 0, 1}} }

// transform maps a pixel of the result to the point of the image whose colour
// it takes: the flips, Keras' rotation, shift, shear and zoom around the
// centre, and the crop, made one so that pixels are interpolated once.
//
// Keras 3 has the axes mixed up where an image is not square: it turns such an
// image around a point off its centre. Here it is the centre always.
func (d Draw) transform(height, width int) matrix {
	h, w := float64(height), float64(width)
	centreX, centreY := w/2-0.5, h/2-0.5
	theta, shear := d.Theta*math.Pi/180, d.Shear*math.Pi/180
	m := matrix{{math.Cos(theta), -math.Sin(theta), 0}, {math.Sin(theta), math.Cos(theta), 0}, {0, 0, 1}}
	m = m.times(moved(d.TX, d.TY))
	m = m.times(matrix{{1, -math.Sin(shear), 0}, {0, math.Cos(shear), 0}, {0, 0, 1}})
	m = m.times(scaled(d.ZX, d.ZY))
	m = moved(centreX, centreY).times(m).times(moved(-centreX, -centreY))
	if d.FlipHorizontal {
		m = m.times(matrix{{-1, 0, w - 1}, {0, 1, 0}, {0, 0, 1}})
	}
	if d.FlipVertical {
		m = m.times(matrix{{1, 0, 0}, {0, -1, h - 1}, {0, 0, 1}})
	}
	if d.Crop == [4]float64{0, 0, 1, 1} {
		return m
	}
	// A pixel's centre lies half a pixel from its corner, where crops begin.
	crop := moved(d.Crop[0]*w-0.5, d.Crop[1]*h-0.5).times(scaled(d.Crop[2], d.Crop[3])).times(moved(0.5, 0.5))
	return crop.times(m)
}

// none says that a draw leaves an image as it is, to the last bit.
func (d Draw) none() bool {
	return d.transform(1, 1) == moved(0, 0) && d.ChannelShift == nil && d.Brightness == nil && d.Contrast == nil
}
