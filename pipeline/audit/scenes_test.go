package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"tftl/pipeline"
	"tftl/pipeline/audit"
)

// scene draws a picture that has what photographs have: light that changes slowly,
// things of many sizes with edges, and texture.
func scene(seed uint64, width, height int) *image.RGBA {
	random := rand.New(rand.NewPCG(seed, 7))
	im := image.NewRGBA(image.Rect(0, 0, width, height))
	sky, ground := colour(random), colour(random)
	for y := range height {
		for x := range width {
			im.SetRGBA(x, y, mix(sky, ground, float64(y)/float64(height)+0.1*math.Sin(float64(x)/40)))
		}
	}
	for range 14 + random.IntN(10) {
		side := float64(min(width, height)) * (0.04 + 0.25*random.Float64()*random.Float64())
		thing(im, random, random.Float64()*float64(width), random.Float64()*float64(height), side)
	}
	return im
}

func colour(random *rand.Rand) color.RGBA {
	return color.RGBA{uint8(40 + random.IntN(160)), uint8(40 + random.IntN(160)), uint8(40 + random.IntN(160)), 255}
}

func mix(a, b color.RGBA, share float64) color.RGBA {
	share = min(max(share, 0), 1)
	one := func(a, b uint8) uint8 { return uint8(float64(a)*(1-share) + float64(b)*share) }
	return color.RGBA{one(a.R, b.R), one(a.G, b.G), one(a.B, b.B), 255}
}

// thing draws a striped ellipse.
func thing(im *image.RGBA, random *rand.Rand, cx, cy, side float64) {
	one, other := colour(random), colour(random)
	long, turn, stripe := 0.5+random.Float64(), random.Float64()*math.Pi, side*(0.15+random.Float64())
	for y := int(cy - 2*side); y <= int(cy+2*side); y++ {
		for x := int(cx - 2*side); x <= int(cx+2*side); x++ {
			dx, dy := float64(x)-cx, float64(y)-cy
			u, v := (dx*math.Cos(turn)+dy*math.Sin(turn))/long, dy*math.Cos(turn)-dx*math.Sin(turn)
			if image.Pt(x, y).In(im.Rect) && u*u+v*v < side*side {
				im.SetRGBA(x, y, mix(one, other, 0.5+0.5*math.Sin(2*math.Pi*u/stripe)*math.Cos(v/stripe)))
			}
		}
	}
}

func encoded(t *testing.T, im image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodedPNG(t *testing.T, im image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func resized(im image.Image, scale float64) image.Image {
	b := im.Bounds()
	return squeezed(im, int(float64(b.Dx())*scale), int(float64(b.Dy())*scale))
}

func squeezed(im image.Image, width, height int) image.Image {
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(to, to.Rect, im, im.Bounds(), draw.Src, nil)
	return to
}

// moved makes a picture of a size from the pixels that from names.
func moved(im image.Image, width, height int, from func(x, y int) (int, int)) image.Image {
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			to.Set(x, y, im.At(from(x, y)))
		}
	}
	return to
}

func mirrored(im image.Image) image.Image {
	w, h := im.Bounds().Dx(), im.Bounds().Dy()
	return moved(im, w, h, func(x, y int) (int, int) { return w - 1 - x, y })
}

// rotated turns a picture by 90 degrees to the right.
func rotated(im image.Image) image.Image {
	w, h := im.Bounds().Dx(), im.Bounds().Dy()
	return moved(im, h, w, func(x, y int) (int, int) { return y, h - 1 - x })
}

// cropped cuts shares off: left, top, right, bottom.
func cropped(im image.Image, left, top, right, bottom float64) image.Image {
	w, h := float64(im.Bounds().Dx()), float64(im.Bounds().Dy())
	x, y := int(left*w), int(top*h)
	return moved(im, int(w*(1-left-right)), int(h*(1-top-bottom)), func(a, b int) (int, int) { return a + x, b + y })
}

// lit multiplies all values and adds to them.
func lit(im image.Image, gain, add float64) image.Image {
	b := im.Bounds()
	to := image.NewRGBA(b)
	one := func(v uint32) uint8 { return uint8(min(max(float64(v>>8)*gain+add, 0), 255)) }
	for y := range b.Dy() {
		for x := range b.Dx() {
			r, g, bl, _ := im.At(x, y).RGBA()
			to.SetRGBA(x, y, color.RGBA{one(r), one(g), one(bl), 255})
		}
	}
	return to
}

// files are images in memory. Their IDs are their names, and "val/" in front of a name puts
// it in that part.
type files []file

type file struct {
	name  string
	bytes []byte
}

func (f files) Len() int                     { return len(f) }
func (f files) Sample(i int) pipeline.Sample { return pipeline.Sample{ID: f[i].name, Label: i % 2} }
func (f files) Bytes(i int) ([]byte, error)  { return f[i].bytes, nil }

func decode(_ context.Context, encoded []byte, s pipeline.Sample) (rgb []byte, width, height int, err error) {
	im, _, err := image.Decode(bytes.NewReader(encoded))
	if err != nil {
		return nil, 0, 0, pipeline.Errorf(pipeline.BadData, "image %s: %w", s.ID, err)
	}
	width, height = im.Bounds().Dx(), im.Bounds().Dy()
	for y := range height {
		for x := range width {
			r, g, b, _ := im.At(x, y).RGBA()
			rgb = append(rgb, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	return rgb, width, height, nil
}

func search(f files) audit.Copies {
	return audit.Copies{
		Images: f, Decode: decode,
		Part: func(i int) string {
			if strings.HasPrefix(f[i].name, "val/") {
				return pipeline.ValidationPart
			}
			return pipeline.TrainPart
		},
		Class: func(label int) string { return fmt.Sprintf("class %d", label) },
	}
}

// find looks for copies.
func find(t *testing.T, f files) map[string]audit.Finding {
	t.Helper()
	findings, bad, err := search(f).Find(t.Context())
	if err != nil || len(bad) > 0 {
		t.Fatalf("%v, %v", err, bad)
	}
	found := map[string]audit.Finding{}
	for _, one := range findings {
		found[one.Image] = one
	}
	return found
}
