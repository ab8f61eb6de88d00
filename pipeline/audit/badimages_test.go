package audit

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"tftl/pipeline"
)

// photographs are pieces of real ones, which make.py takes from scikit-learn.
func photographs(t *testing.T) []*image.RGBA {
	t.Helper()
	files, err := filepath.Glob("../../build/testdata/real/*.jpg")
	if err != nil || len(files) != 2 {
		t.Fatalf("photographs: %v, %v; make testdata makes them", files, err)
	}
	var list []*image.RGBA
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []image.Rectangle{image.Rect(0, 0, 640, 427), image.Rect(0, 100, 320, 400), image.Rect(320, 127, 640, 427), image.Rect(150, 50, 450, 300)} {
			piece := image.NewRGBA(image.Rect(0, 0, at.Dx(), at.Dy()))
			draw.Draw(piece, piece.Bounds(), img, at.Min, draw.Src)
			list = append(list, piece)
		}
	}
	return list
}

// changed applies a function to each channel.
func changed(img *image.RGBA, to func(v float64) float64) *image.RGBA {
	out := image.NewRGBA(img.Rect)
	for i, v := range img.Pix {
		out.Pix[i] = 255
		if i%4 != 3 {
			out.Pix[i] = uint8(math.Round(min(max(to(float64(v)), 0), 255)))
		}
	}
	return out
}

// blurred is nearly a Gaussian blur: three box blurs in each direction.
func blurred(img *image.RGBA, sigma float64) *image.RGBA {
	radius := max(int(math.Round(sigma*math.Sqrt(12.0/3))), 1) / 2
	out := image.NewRGBA(img.Rect)
	copy(out.Pix, img.Pix)
	width, height := img.Rect.Dx(), img.Rect.Dy()
	for range 3 {
		for _, step := range []image.Point{{1, 0}, {0, 1}} {
			in := slices.Clone(out.Pix)
			for y := range height {
				for x := range width {
					for c := range 3 {
						sum := 0
						for d := -radius; d <= radius; d++ {
							u := min(max(x+d*step.X, 0), width-1)
							v := min(max(y+d*step.Y, 0), height-1)
							sum += int(in[out.PixOffset(u, v)+c])
						}
						out.Pix[out.PixOffset(x, y)+c] = uint8((sum + radius) / (2*radius + 1))
					}
				}
			}
		}
	}
	return out
}

// part is the middle of an image.
func part(img *image.RGBA, width, height int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(out, out.Bounds(), img, image.Pt((img.Rect.Dx()-width)/2, (img.Rect.Dy()-height)/2), draw.Src)
	return out
}

// shrunk takes single pixels.
func shrunk(img *image.RGBA, width, height int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			out.SetRGBA(x, y, img.RGBAAt(x*img.Rect.Dx()/width, y*img.Rect.Dy()/height))
		}
	}
	return out
}

func plain(width, height int, grey uint8) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.RGBA{grey, grey / 2, grey, 255}), image.Point{}, draw.Src)
	return out
}

// stored is an image as it is after JPEG.
func stored(t *testing.T, img image.Image) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	decoded, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestPlantedBadImagesAreFound(t *testing.T) {
	originals := photographs(t)
	var looks []Look
	for _, img := range originals {
		looks = append(looks, LookAt(img, img.Rect.Size()))
	}
	for i, img := range originals {
		longest := float64(max(img.Rect.Dx(), img.Rect.Dy()))
		for name, plant := range map[string]struct {
			img  *image.RGBA
			want []Kind
		}{
			"untouched":       {img, nil},
			"darker":          {changed(img, func(v float64) float64 { return v / 2 }), nil},
			"brighter":        {changed(img, func(v float64) float64 { return v * 1.3 }), nil},
			"half the size":   {shrunk(img, img.Rect.Dx()/2, img.Rect.Dy()/2), nil},
			"a little soft":   {blurred(img, 1), nil},
			"dark":            {changed(img, func(v float64) float64 { return v / 4 }), []Kind{Dark}},
			"overexposed":     {changed(img, func(v float64) float64 { return 255 - (255-v)*0.045 }), []Kind{Overexposed}},
			"blurred":         {blurred(img, longest/50), []Kind{Blurred}},
			"dark, blurred":   {changed(blurred(img, longest/50), func(v float64) float64 { return v / 4 }), []Kind{Dark, Blurred}},
			"black":           {plain(300, 200, 0), []Kind{Blank}},
			"white":           {plain(300, 200, 255), []Kind{Blank}},
			"one colour":      {plain(300, 200, 120), []Kind{Blank}},
			"tiny":            {shrunk(img, 60, 50), []Kind{Tiny}},
			"odd in shape":    {part(img, img.Rect.Dx(), img.Rect.Dx()/4), []Kind{OddShape}},
			"odd, upright":    {part(img, img.Rect.Dy()/4, img.Rect.Dy()), []Kind{OddShape}},
			"one pixel":       {shrunk(img, 1, 1), []Kind{Blank, Tiny}},
			"one pixel width": {plain(1, 300, 50), []Kind{Blank, Tiny, OddShape}},
		} {
			decoded := stored(t, plant.img)
			all := append(slices.Clone(looks), LookAt(decoded, decoded.Bounds().Size()))
			found, err := BadImages(all, samples(len(all)), []string{"cat", "dog"})
			if err != nil {
				t.Fatal(err)
			}
			var kinds []Kind
			for _, f := range found {
				kinds = append(kinds, f.Kind)
				if f.Image != strconv.Itoa(len(looks)) || f.Label != "cat" || f.Detail == "" || f.Score <= 0 || f.Score > 1 {
					t.Errorf("photograph %d, %s: finding %+v", i, name, f)
				}
			}
			if !slices.Equal(kinds, plant.want) {
				t.Errorf("photograph %d, %s: %v, want %v: %+v", i, name, kinds, plant.want, all[len(looks)])
			}
		}
	}
}

func TestASetOfPanoramasHasNoOddShapes(t *testing.T) {
	looks := slices.Repeat([]Look{{Width: 900, Height: 300, Brightest: 1, Range: 1, Sharpness: 2}}, 5)
	if found, err := BadImages(looks, samples(5), nil); err != nil || len(found) > 0 {
		t.Errorf("found %+v, error %v", found, err)
	}
	looks = append(looks, Look{Width: 900, Height: 100, Brightest: 1, Range: 1, Sharpness: 2})
	if found, err := BadImages(looks, samples(6), nil); err != nil || len(found) != 1 || found[0].Kind != OddShape {
		t.Errorf("found %+v, error %v", found, err)
	}
}

func TestTheWorstImagesOfAKindComeFirst(t *testing.T) {
	good := Look{Width: 100, Height: 100, Brightest: 1, Range: 1, Sharpness: 2}
	dim, dark, soft := good, good, good
	dim.Brightest, dark.Brightest, soft.Sharpness = 0.3, 0.1, 0.5
	found, err := BadImages([]Look{good, soft, dim, dark}, samples(4), nil)
	var got []string
	for _, f := range found {
		got = append(got, string(f.Kind)+" "+f.Image)
	}
	if want := []string{"dark 3", "dark 2", "blurred 1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("found %v, want %v, error %v", got, want, err)
	}
}

func TestALookIsOfWhatIsStored(t *testing.T) {
	img := photographs(t)[0]
	want := LookAt(img, img.Rect.Size())
	near := func(what string, got Look) {
		t.Helper()
		for _, d := range []float64{got.Darkest - want.Darkest, got.Brightest - want.Brightest, got.Range - want.Range, (got.Sharpness - want.Sharpness) / 3} {
			if got.Width != 640 || got.Height != 427 || math.Abs(d) > 0.03 {
				t.Errorf("%s: %+v, want about %+v", what, got, want)
				return
			}
		}
	}
	// Stretched and smaller, as a network's input.
	near("stretched", LookAt(shrunk(img, 400, 400), img.Rect.Size()))
	// Colours below transparent pixels count, as they do for a network.
	clear := image.NewNRGBA(img.Rect)
	copy(clear.Pix, img.Pix)
	for i := 3; i < len(clear.Pix); i += 4 {
		clear.Pix[i] = 0
	}
	near("transparent", LookAt(clear, img.Rect.Size()))
	shifted := image.NewRGBA(img.Rect.Add(image.Pt(50, 70)))
	copy(shifted.Pix, img.Pix)
	near("not at the origin", LookAt(shifted, img.Rect.Size()))
	if got := LookAt(image.NewRGBA(image.Rectangle{}), image.Pt(0, 0)); got != (Look{}) {
		t.Errorf("an empty image: %+v", got)
	}
}

func TestNoImagesNoFindings(t *testing.T) {
	if found, err := BadImages(nil, nil, nil); err != nil || found != nil {
		t.Errorf("found %v, error %v", found, err)
	}
	if _, err := BadImages(make([]Look, 2), []pipeline.Sample{{}}, nil); err == nil {
		t.Error("looks of more images than samples")
	}
}
