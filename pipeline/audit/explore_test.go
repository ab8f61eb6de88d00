package audit

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	"math/bits"
	"os"
	"path/filepath"
	"testing"

	"tftl/internal/phash"
)

func rgbOf(name string) decoded {
	file, _ := os.ReadFile(name)
	im, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		panic(err)
	}
	b := im.Bounds()
	d := decoded{width: b.Dx(), height: b.Dy()}
	for y := range d.height {
		for x := range d.width {
			c := color.NRGBAModel.Convert(im.At(x, y)).(color.NRGBA)
			d.rgb = append(d.rgb, c.R, c.G, c.B)
		}
	}
	return d
}

func TestExplore(t *testing.T) {
	f := &finder{hasher: phash.New(), detector: newDetector()}
	files, _ := filepath.Glob(os.Getenv("WORK") + "/originals/*")
	for _, name := range files {
		stem := filepath.Base(name)
		stem = stem[:len(stem)-4]
		copies, _ := filepath.Glob(os.Getenv("WORK") + "/copies/" + stem + "-copy.*")
		if len(copies) == 0 {
			continue
		}
		f.pictures = []picture{f.picture([]byte("a"), rgbOf(name)), f.picture([]byte("b"), rgbOf(copies[0]))}
		if f.pictures[1].blank || f.pictures[0].blank {
			fmt.Println(stem, "blank")
			continue
		}
		pairs, _ := f.candidates(t.Context(), []int{0, 1})
		if len(pairs) == 0 {
			best := 64
			for _, p := range f.pictures[0].points {
				for _, q := range f.pictures[1].points {
					best = min(best, bits.OnesCount64(p.code^q.code))
				}
			}
			fmt.Println(stem, "no candidate", len(f.pictures[0].points), len(f.pictures[1].points), best)
			continue
		}
		l := f.verify(pairs[0])
		if l.blocks == 0 {
			fmt.Println(stem, "hypotheses", len(pairs[0].hypotheses))
			one, other := f.pictures[0].pyramid(), f.pictures[1].pyramid()
			for _, h := range pairs[0].hypotheses {
				p, ok := align(one, other.turn(h.turned), h.placed)
				c := compare(one[2], other.turn(h.turned)[2], p)
				fmt.Printf("   %d %d ok %v %.3v %.3v\n", h.turned, h.distance, ok, p, c)
			}
		}
	}
}
