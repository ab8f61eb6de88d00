package pixels

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"

	"tftl/pipeline"
)

// Draw is what was drawn for one image in one epoch. As JSON it is an object
// with the names of Keras' ImageDataGenerator, or names like them.
type Draw struct {
	height, width float64
	values        []drawn // in the order in which they were drawn

	around matrix   // changes around the centre of the image
	flips  []matrix // after them
	crop   matrix   // last
}

// drawn is a value with its name.
type drawn struct {
	name   string
	value  any
	colour bool // value is a float64 that the graph takes; geometry goes into the matrices
}

// newDraw is a pure function: the result depends neither on the order in which
// images are asked for, nor on how many there are at a time.
func newDraw(a pipeline.Augmentation, seed uint64, epoch int, id string, height, width int) Draw {
	still := moved(0, 0)
	d := Draw{height: float64(height), width: float64(width), around: still, crop: still}
	random := newStream(seed, epoch, id)
	for _, x := range augmentations(&a) {
		x.draw(random, &d)
	}
	return d
}

// note records a value that the draw's matrices are made from.
func (d *Draw) note(name string, value any) {
	d.values = append(d.values, drawn{name: name, value: value})
}

// colour records the value of a colour. With it the image counts as changed.
func (d *Draw) colour(name string, value float64) {
	d.values = append(d.values, drawn{name, value, true})
}

// value returns the value of a colour, or 0 if it has none for this image.
func (d Draw) value(name string) float32 {
	for _, v := range d.values {
		if v.name == name && v.colour {
			return float32(v.value.(float64))
		}
	}
	return 0
}

// none reports whether the draw leaves an image as it is, to the last bit.
func (d Draw) none() bool {
	for _, v := range d.values {
		if v.colour {
			return false
		}
	}
	return d.transform() == moved(0, 0)
}

// MarshalJSON writes the values in the order in which they were drawn: features
// are cached under this text.
func (d Draw) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	for i, v := range d.values {
		value, err := json.Marshal(v.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		fmt.Fprintf(&out, "%c%q:%s", "{,"[min(i, 1)], v.name, value)
	}
	return append(out.Bytes(), '}'), nil
}

// transform maps a pixel of the result to the point of the image whose colour it
// takes. All changes are combined, so that pixels are interpolated only once.
//
// Keras 3 mixes up the axes of an image that is not square and turns it around a
// point off its centre. Here it is always the centre.
func (d Draw) transform() matrix {
	x, y := d.width/2-0.5, d.height/2-0.5
	m := moved(x, y).times(d.around).times(moved(-x, -y))
	for _, flip := range d.flips {
		m = m.times(flip)
	}
	return d.crop.times(m)
}

// stream is the random numbers for one image in one epoch.
type stream struct{ source *rand.PCG }

func newStream(seed uint64, epoch int, id string) stream {
	sum := sha256.Sum256(fmt.Appendf(nil, "augment %d %d %s", seed, epoch, id))
	return stream{rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16]))}
}

// unit is uniform in [0, 1). It is written out because Go guarantees PCG's
// stream, but not how rand.Float64 uses it.
func (s stream) unit() float64 { return float64(s.source.Uint64()>>11) / (1 << 53) }

// between is uniform in [low, high). The conversion keeps the compiler from
// fusing product and sum, which would round differently on some processors.
func (s stream) between(low, high float64) float64 { return low + float64(s.unit()*(high-low)) }

func (s stream) either(limit float64) float64 { return s.between(-limit, limit) }

func (s stream) factor(limits pipeline.Factors) float64 {
	if !limits.Change() {
		limits = pipeline.Factors{1, 1}
	}
	return s.between(limits[0], limits[1])
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

func rotated(degrees float64) matrix {
	sin, cos := math.Sin(degrees*math.Pi/180), math.Cos(degrees*math.Pi/180)
	return matrix{{cos, -sin, 0}, {sin, cos, 0}, {0, 0, 1}}
}

func sheared(degrees float64) matrix {
	sin, cos := math.Sin(degrees*math.Pi/180), math.Cos(degrees*math.Pi/180)
	return matrix{{1, -sin, 0}, {0, cos, 0}, {0, 0, 1}}
}
