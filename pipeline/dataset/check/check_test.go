package check_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
)

// scene is a picture of coloured squares, drawn by the seed.
func scene(seed uint64) *image.RGBA {
	random := rand.New(rand.NewPCG(seed, 0))
	picture := image.NewRGBA(image.Rect(0, 0, 96, 64))
	level := func() uint8 { return uint8(40 + random.IntN(160)) }
	for y := 0; y < 64; y += 8 {
		for x := 0; x < 96; x += 8 {
			colour := image.NewUniform(color.RGBA{level(), level(), level(), 255})
			draw.Draw(picture, image.Rect(x, y, x+8, y+8), colour, image.Point{}, draw.Src)
		}
	}
	return picture
}

func asPNG(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asJPEG(m image.Image, quality int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// changed is a picture with f applied to each pixel.
func changed(m *image.RGBA, f func(r, g, b float64) (float64, float64, float64)) *image.RGBA {
	result := image.NewRGBA(m.Bounds())
	for i := 0; i < len(m.Pix); i += 4 {
		r, g, b := f(float64(m.Pix[i]), float64(m.Pix[i+1]), float64(m.Pix[i+2]))
		for c, v := range [...]float64{r, g, b} {
			result.Pix[i+c] = uint8(min(max(v, 0), 255))
		}
		result.Pix[i+3] = 255
	}
	return result
}

// part is the part of a picture within bounds, as a picture of its own.
func cropped(m *image.RGBA, bounds image.Rectangle) *image.RGBA {
	result := image.NewRGBA(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
	draw.Draw(result, result.Bounds(), m, bounds.Min, draw.Src)
	return result
}

func plain(c color.Color) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 50, 40))
	draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return m
}

// reader decodes with the standard library. TensorFlow's decoding is tested elsewhere.
func reader(workers int) check.Reader {
	return check.Reader{
		Workers: workers,
		Header: func(encoded []byte) check.Header {
			config, format, _ := image.DecodeConfig(bytes.NewReader(encoded))
			return check.Header{Format: strings.ToUpper(format), Width: config.Width, Height: config.Height, Depth16: config.ColorModel == color.Gray16Model}
		},
		Decode: func(_ context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error) {
			m, _, err := image.Decode(bytes.NewReader(encoded[0]))
			if err != nil {
				return pipeline.Batch{}, pipeline.Errorf(pipeline.BadData, "image %s: %w", samples[0].ID, err)
			}
			return pipeline.Batch{Samples: samples, Data: shrunk(m)}, nil
		},
	}
}

// shrunk averages a picture over check.Side by check.Side cells.
func shrunk(m image.Image) []float32 {
	sums := make([]float64, check.Side*check.Side*3)
	counts := make([]float64, len(sums))
	size := m.Bounds()
	for y := range size.Dy() {
		for x := range size.Dx() {
			cell := 3 * (y*check.Side/size.Dy()*check.Side + x*check.Side/size.Dx())
			r, g, b, _ := m.At(x, y).RGBA()
			for c, v := range [...]uint32{r, g, b} {
				sums[cell+c] += float64(v >> 8)
				counts[cell+c]++
			}
		}
	}
	pixels := make([]float32, len(sums))
	for i := range sums {
		pixels[i] = float32(sums[i] / counts[i])
	}
	return pixels
}

// open writes files into a folder and opens it. Every class has images of its
// own in every part, in train three.
func open(t *testing.T, files map[string][]byte) *dataset.Set {
	t.Helper()
	root := t.TempDir()
	seed := uint64(1000)
	for _, part := range []string{"train", "val", "test"} {
		for _, class := range []string{"cat", "dog"} {
			for i := range map[string]int{"train": 3, "val": 1, "test": 1}[part] {
				seed++
				files[fmt.Sprintf("%s/%s/own%d.png", part, class, i)] = asPNG(scene(seed))
			}
		}
	}
	for name, data := range files {
		name = filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	set, err := dataset.Open(root, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// lines are a report's findings, one per line: kind, files, detail.
func lines(r *check.Report) []string {
	var lines []string
	for _, f := range r.Findings {
		var names []string
		for _, file := range f.Files {
			names = append(names, file.Path)
		}
		words := append([]string{string(f.Kind)}, append(names, f.Detail)...)
		lines = append(lines, strings.TrimSpace(strings.Join(words, " ")))
	}
	return lines
}

func run(t *testing.T, set *dataset.Set, r check.Reader) *check.Report {
	t.Helper()
	report, err := check.Run(t.Context(), set, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestNothingIsFoundInAGoodSet(t *testing.T) {
	files := map[string][]byte{}
	for i := range 40 {
		files[fmt.Sprintf("train/%s/%d.jpg", []string{"cat", "dog"}[i%2], i)] = asJPEG(scene(uint64(i)), 90)
	}
	report := run(t, open(t, files), reader(2))
	if got := lines(report); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if report.Images != 50 || report.Imbalance != 1 || report.Spoiled() != 0 {
		t.Errorf("%+v", report)
	}
	if fmt.Sprint(report.Formats) != "map[JPEG:40 PNG:10]" || *report.Width != (check.Range{Min: 96, Median: 96, Max: 96}) || report.Height.Max != 64 {
		t.Errorf("%v, %v, %v", report.Formats, report.Width, report.Height)
	}
}

// What decoding drops is counted, but is not a finding.
func TestNotes(t *testing.T) {
	deep := func(level int) []byte {
		m := image.NewGray16(image.Rect(0, 0, 40, 40))
		for i := range 1600 {
			m.SetGray16(i%40, i/40, color.Gray16{uint16(level * (1 + i%7) / 7)})
		}
		return asPNG(m)
	}
	files := map[string][]byte{"train/cat/dark.png": deep(3900), "train/cat/darker.png": deep(2000), "train/dog/full.png": deep(65535)}
	all := reader(1)
	plain := all.Header
	all.Header = func(encoded []byte) check.Header {
		h := plain(encoded)
		h.Orientation = 1
		if h.Transparent = h.Depth16; h.Depth16 {
			h.Orientation = 6
		}
		return h
	}
	report := run(t, open(t, files), all)
	if want := (check.Notes{Turned: 3, Transparent: 3, Depth16: 3, Dark16: 2, Brightest: 15}); report.Notes != want {
		t.Errorf("%+v, want %+v", report.Notes, want)
	}
	var table strings.Builder
	if err := report.WriteTable(&table, pipeline.Option.String); err != nil {
		t.Fatal(err)
	}
	want := "note     3 images have 16 bits per channel, of which the upper 8 are kept; 2 of them do not exceed level 15 of 255: scale them to all 16 bits\n"
	if !strings.Contains(table.String(), want) || !strings.Contains(table.String(), "note     3 images have transparency") {
		t.Errorf("%s", &table)
	}
}

func TestFindings(t *testing.T) {
	one := scene(1)
	whole := asPNG(one)
	for name, c := range map[string]struct {
		files map[string][]byte
		want  []string
	}{
		"damaged": {
			map[string][]byte{"train/cat/cut.png": whole[:len(whole)/2], "val/dog/text.jpg": []byte("no image")},
			[]string{"unreadable train/cat/cut.png png: invalid format: not enough pixel data", "unreadable val/dog/text.jpg image: unknown format"},
		},
		"blank": {
			map[string][]byte{"train/cat/white.png": asPNG(plain(color.White)), "train/dog/grey.jpg": asJPEG(plain(color.Gray{99}), 20)},
			[]string{"blank train/cat/white.png", "blank train/dog/grey.jpg"},
		},
		"blank copies are one finding more, and are near nothing": {
			map[string][]byte{"train/cat/white.png": asPNG(plain(color.White)), "train/cat/again.png": asPNG(plain(color.White)), "val/cat/off.png": asPNG(plain(color.Gray{250}))},
			[]string{"blank train/cat/again.png", "blank train/cat/white.png", "blank val/cat/off.png", "duplicate train/cat/again.png train/cat/white.png"},
		},
		"extension": {
			map[string][]byte{"train/cat/a.jpg": whole, "train/cat/no-extension": asPNG(scene(2)), "train/cat/b.PNG": asPNG(scene(3))},
			[]string{"wrong-extension train/cat/a.jpg is a PNG"},
		},
		"copies in a part": {
			map[string][]byte{"train/cat/a.png": whole, "train/cat/b.png": whole, "train/cat/c.png": whole},
			[]string{"duplicate train/cat/a.png train/cat/b.png train/cat/c.png"},
		},
		"copies in two classes": {
			map[string][]byte{"train/cat/a.png": whole, "train/dog/b.png": whole},
			[]string{"duplicate train/cat/a.png train/dog/b.png in different classes"},
		},
		"copies across parts": {
			map[string][]byte{"train/cat/a.png": whole, "test/cat/b.png": whole},
			[]string{"duplicate-across-parts train/cat/a.png test/cat/b.png"},
		},
		"encoded again, across parts": {
			map[string][]byte{"train/cat/a.png": whole, "val/cat/b.jpg": asJPEG(one, 30)},
			[]string{"near-duplicate-across-parts train/cat/a.png val/cat/b.jpg"},
		},
		"brighter": {
			map[string][]byte{"train/cat/a.png": whole, "train/cat/b.png": asPNG(changed(one, func(r, g, b float64) (float64, float64, float64) { return r + 20, g + 20, b + 20 }))},
			[]string{"near-duplicate train/cat/a.png train/cat/b.png"},
		},
		"grey": {
			map[string][]byte{"train/cat/a.png": whole, "train/cat/b.png": asPNG(changed(one, func(r, g, b float64) (float64, float64, float64) {
				y := 0.299*r + 0.587*g + 0.114*b
				return y, y, y
			}))},
			[]string{"near-duplicate train/cat/a.png train/cat/b.png"},
		},
		"halves of a picture are two": {
			map[string][]byte{"train/cat/a.png": asPNG(cropped(one, image.Rect(0, 0, 48, 64))), "val/cat/b.png": asPNG(cropped(one, image.Rect(48, 0, 96, 64)))},
			nil,
		},
		"a copy and a near duplicate": {
			map[string][]byte{"train/cat/a.png": whole, "test/cat/a.png": whole, "train/cat/b.jpg": asJPEG(one, 50)},
			[]string{"duplicate-across-parts train/cat/a.png test/cat/a.png", "near-duplicate-across-parts train/cat/a.png train/cat/b.jpg test/cat/a.png"},
		},
		"a class that a part lacks": {
			map[string][]byte{"train/fox/a.png": whole, "train/fox/c.png": asPNG(scene(3)), "val/fox/b.png": asPNG(scene(2))},
			[]string{"missing-class test has no image of fox"},
		},
		"unequal": {
			map[string][]byte{"train/fox/a.png": whole, "val/fox/b.png": asPNG(scene(2)), "test/fox/b.png": asPNG(scene(3))},
			[]string{"imbalance train has 3.0 times as many images of cat (3) as of fox (1)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			report := run(t, open(t, c.files), reader(2))
			if got := lines(report); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q\nwant %q", got, c.want)
			}
			for _, f := range report.Findings {
				switch f.Kind {
				case check.Imbalance, check.WrongExtension, check.Duplicate, check.NearDuplicate:
					if f.Spoils {
						t.Errorf("%s spoils", f.Kind)
					}
				default:
					if !f.Spoils {
						t.Errorf("%s does not spoil", f.Kind)
					}
				}
			}
		})
	}
}

func TestWorkersChangeNothing(t *testing.T) {
	set := func(t *testing.T) *dataset.Set {
		return open(t, map[string][]byte{
			"train/cat/a.png": asPNG(scene(1)), "val/cat/a.jpg": asJPEG(scene(1), 40), "train/dog/a.png": []byte("none"),
			"test/dog/c.png": asPNG(scene(1)), "test/dog/d.png": asPNG(plain(color.Black)),
		})
	}
	want := run(t, set(t), reader(1))
	for _, workers := range []int{0, 3, 50} {
		if got := run(t, set(t), reader(workers)); !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers: %+v\nwant %+v", workers, got, want)
		}
	}
}

// An error that is not about an image ends a check.
func TestErrorsOfTheMachine(t *testing.T) {
	set := open(t, map[string][]byte{})
	broken := errors.New("the disk is on fire")
	r := reader(2)
	r.Decode = func(context.Context, [][]byte, []pipeline.Sample) (pipeline.Batch, error) {
		return pipeline.Batch{}, broken
	}
	if _, err := check.Run(t.Context(), set, r, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := check.Unusable(t.Context(), set.Train, r.Decode, 2, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := check.Run(ctx, set, reader(2), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestUnusable(t *testing.T) {
	set := open(t, map[string][]byte{"train/cat/a.png": asPNG(scene(1)), "train/cat/b.png": []byte("none"), "train/dog/z.png": asPNG(scene(1))[:90]})
	var events []pipeline.Event
	bad, err := check.Unusable(t.Context(), set.Train, reader(2).Decode, 2, func(e pipeline.Event) { events = append(events, e) })
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(bad)
	if want := "[{1 {train/cat/b.png 0 1} image: unknown format} {8 {train/dog/z.png 1 1} png: invalid format: not enough pixel data}]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if n := set.Train.Len(); len(events) != n || events[n-1].Done != n || events[n-1].Total != n {
		t.Errorf("%v", events)
	}
	kept := set.Train.Keep(func(i int) bool { return i != 1 && i != 8 })
	if kept.Len() != 7 || kept.Sample(1).ID != "train/cat/own0.png" || set.Train.Len() != 9 {
		t.Errorf("%v of %v", kept, set.Train)
	}
}

func TestTable(t *testing.T) {
	files := map[string][]byte{"test/dog/cut.png": []byte("none")}
	for i := range 12 {
		files[fmt.Sprintf("train/cat/%02d.png", i)] = []byte("none")
	}
	for i := range 6 {
		files[fmt.Sprintf("train/dog/%d.png", i)] = asPNG(scene(1))
	}
	files["val/dog/x.png"] = asPNG(scene(1))
	var out bytes.Buffer
	if err := run(t, open(t, files), reader(2)).WriteTable(&out, pipeline.Option.String); err != nil {
		t.Fatal(err)
	}
	want := `class        train     val    test
cat             15       1       1
dog              9       2       2
2 classes       24       3       3

formats  17 PNG
width    96 to 96, median 96
height   64 to 64, median 64

problem: images that cannot be read
  train/cat/00.png: image: unknown format
  train/cat/01.png: image: unknown format
  train/cat/02.png: image: unknown format
  train/cat/03.png: image: unknown format
  train/cat/04.png: image: unknown format
  train/cat/05.png: image: unknown format
  train/cat/06.png: image: unknown format
  train/cat/07.png: image: unknown format
  train/cat/08.png: image: unknown format
  train/cat/09.png: image: unknown format
  and 3 more: json lists them

problem: duplicates across parts
  train/dog/0.png (train) = train/dog/1.png (train) = train/dog/2.png (train) = train/dog/3.png (train) and 3 more
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}
