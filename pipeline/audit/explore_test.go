package audit

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/image/draw"
	"tftl/internal/phash"
)

func rgbOf(im image.Image) Pixels {
	b := im.Bounds()
	n := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(n, n.Bounds(), im, b.Min, draw.Src)
	p := Pixels{b.Dx(), b.Dy(), make([]byte, 3*b.Dx()*b.Dy())}
	for i := range b.Dx() * b.Dy() {
		copy(p.RGB[3*i:3*i+3], n.Pix[4*i:4*i+3])
	}
	return p
}

func (f *finder) pic(p Pixels) picture {
	var q picture
	q.readable, q.width, q.height = true, p.Width, p.Height
	width, height := shrunk(p.Width, p.Height)
	large := luma(p, width, height)
	if large.spread() < blankSpread {
		q.blank = true
		return q
	}
	q.points = f.detector.find(large)
	var square phash.Grey
	for k, v := range large.to(phash.Side, phash.Side).values {
		square[k] = level(v)
	}
	q.hashes = f.hasher.Hashes(&square)
	for n := range levels {
		by := 1 << (levels - 1 - n)
		g := large.to(max(width/by, 2), max(height/by, 2))
		q.small[n] = [2]int{g.width, g.height}
		for _, v := range g.values {
			q.values = append(q.values, level(v))
		}
	}
	return q
}

func cropped(r *rand.Rand, im image.Image, cut float64) image.Image {
	b := im.Bounds()
	keep := 1 - cut
	// width share between keep and 1
	w := keep + (1-keep)*r.Float64()
	h := keep / w
	W, H := int(w*float64(b.Dx())), int(h*float64(b.Dy()))
	x, y := r.IntN(b.Dx()-W+1), r.IntN(b.Dy()-H+1)
	n := image.NewRGBA(image.Rect(0, 0, W, H))
	draw.Draw(n, n.Bounds(), im, image.Pt(b.Min.X+x, b.Min.Y+y), draw.Src)
	return n
}

func recompressed(im image.Image, q int) image.Image {
	var b bytes.Buffer
	jpeg.Encode(&b, im, &jpeg.Options{Quality: q})
	o, _, _ := image.Decode(&b)
	return o
}

func TestExplore(t *testing.T) {
	ctx := context.Background()
	_ = ctx
	f := finder{hasher: phash.New(), detector: newDetector()}
	files, _ := filepath.Glob(os.Getenv("SET") + "/*/*.*g")
	r := rand.New(rand.NewPCG(1, 2))
	var pics, crops []picture
	start := time.Now()
	for i, name := range files {
		if i >= 300 {
			break
		}
		file, _ := os.ReadFile(name)
		im, _, err := image.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(name, err)
		}
		pics = append(pics, f.pic(rgbOf(im)))
		c := recompressed(cropped(r, im, 0.1+0.2*r.Float64()), 50)
		crops = append(crops, f.pic(rgbOf(c)))
	}
	fmt.Println("read", time.Since(start), len(pics))

	n := len(pics)
	f.pictures = append(pics, crops...)
	var nodes []int
	for i := range f.pictures {
		if !f.pictures[i].blank {
			nodes = append(nodes, i)
			f.firstHashes = append(f.firstHashes, f.pictures[i].hashes[0])
		}
	}
	start = time.Now()
	cands, err := f.candidates(ctx, nodes)
	fmt.Println("candidates", len(cands), time.Since(start), err)
	start = time.Now()
	got, missedCand := 0, 0
	seen := map[int]bool{}
	for _, c := range cands {
		l, ok := f.verify(c.a, c.b, c.hypotheses)
		true_ := c.b == c.a+n
		if true_ {
			seen[c.a] = true
		}
		if true_ && ok {
			got++
		}
		if ok || true_ {
			name := "FALSE"
			if !true_ && (!ok || l.detail < 0.7) { continue }
			if true_ {
				name = "true"
			}
			fmt.Printf("%s %v a=%d b=%d o=%d detail %.3f agree %.2f of %d  %.3v %s %s\n", name, ok, c.a, c.b, l.turned, l.detail, l.agree, l.blocks, l.placed, filepath.Base(files[c.a%n]), filepath.Base(files[c.b%n]))
		}
	}
	for i := range n {
		if !seen[i] {
			missedCand++
			fmt.Println("nocand", i, len(pics[i].points), len(crops[i].points), files[i])
		}
	}
	fmt.Println("verified", time.Since(start), got, "of", n, "no candidate", missedCand)
}
