package audit_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/audit"
)

// originals are pictures that nobody copied.
func originals(t *testing.T, n int) (pictures []image.Image, all files) {
	t.Helper()
	for i := range n {
		im := scene(uint64(i), 200+i%3*20, 160+i%4*15)
		pictures = append(pictures, im)
		all = append(all, file{fmt.Sprintf("%02d.jpg", i), encoded(t, im, 90)})
	}
	return pictures, all
}

// change is a way to copy a picture, and what the finding says of it.
type change struct {
	words string
	of    func(im image.Image) image.Image
}

func changes() map[string]change {
	return map[string]change{
		"recompressed": {"encoded again", func(im image.Image) image.Image { return im }},
		"resized":      {"made smaller", func(im image.Image) image.Image { return resized(im, 0.6) }},
		"mirrored":     {"mirrored", mirrored},
		"right":        {"rotated by 90° to the right", rotated},
		"over":         {"rotated by 180°", func(im image.Image) image.Image { return rotated(rotated(im)) }},
		"left":         {"rotated by 90° to the left", func(im image.Image) image.Image { return rotated(rotated(rotated(im))) }},
		"cropped":      {"cropped", func(im image.Image) image.Image { return cropped(im, 0.02, 0.1, 0.12, 0.06) }},
		"brighter":     {"brighter", func(im image.Image) image.Image { return lit(im, 1.25, 0) }},
		"darker":       {"darker", func(im image.Image) image.Image { return lit(im, 0.7, 0) }},
		"contrast":     {"more contrast", func(im image.Image) image.Image { return lit(im, 1.3, -36) }},
		"stretched":    {"stretched", func(im image.Image) image.Image { return squeezed(im, 128, 128) }},
	}
}

// Each kind of copy is found, alone and with every other one, and called what it is.
func TestCopiesAreFound(t *testing.T) {
	names := []string{"recompressed", "resized", "mirrored", "right", "over", "left", "cropped", "brighter", "darker", "contrast"}
	pictures, all := originals(t, 12)
	type planted struct{ original, copied string }
	var copies []planted
	add := func(k int, name string, im image.Image) {
		copies = append(copies, planted{all[k%len(pictures)].name, name})
		all = append(all, file{name, encoded(t, im, 40+k)}) // no two with the same bytes
	}
	k := 0
	for i, one := range names {
		add(k, one, changes()[one].of(pictures[k%len(pictures)]))
		k++
		for _, other := range names[i+1:] {
			im := changes()[other].of(changes()[one].of(pictures[k%len(pictures)]))
			add(k, one+"+"+other, im)
			k++
		}
	}
	add(k, "stretched", changes()["stretched"].of(pictures[k%len(pictures)]))
	found := find(t, all)
	missed := 0
	for _, c := range copies {
		f := found[c.copied]
		if f.Group == 0 || f.Group != found[c.original].Group {
			t.Logf("%s, a copy of %s, is not found", c.copied, c.original)
			missed++
			continue
		}
		if f.Kind != audit.NearCopy || f.Score < 0.85 || f.Score > 1 {
			t.Errorf("%s: %+v", c.copied, f)
		}
		if want, one := changes()[c.copied]; one && f.Detail != "the largest of the group" && f.Others[0] == c.original && !strings.Contains(f.Detail, want.words) {
			t.Errorf("%s of %s is %q, want %q", c.copied, c.original, f.Detail, want.words)
		}
	}
	if missed*20 > len(copies) {
		t.Errorf("%d of %d copies are not found", missed, len(copies))
	}
	for _, f := range found {
		if f.Group != found[f.Others[0]].Group {
			t.Errorf("%+v", f)
		}
	}
	groups := map[int]string{}
	for _, o := range all[:len(pictures)] {
		g := found[o.name].Group
		if other, taken := groups[g]; taken && g != 0 {
			t.Errorf("%s and %s are one group", other, o.name)
		}
		groups[g] = o.name
	}
}

func TestDifferentPicturesAreNoCopies(t *testing.T) {
	_, all := originals(t, 40)
	for _, f := range find(t, all) {
		t.Errorf("%+v", f)
	}
}

// In a burst the scene stays, and somebody moves or the camera does.
func TestBurstIsNoCopy(t *testing.T) {
	var all files
	for frame := range 4 {
		im := scene(3, 240, 180)
		random := rand.New(rand.NewPCG(5, 6))
		for k := range 3 {
			thing(im, random, 40+float64(k*65+frame*12), 60+float64(k%2*60+frame*10), 22)
		}
		for y := range 180 { // the noise of a sensor is never the same
			for x := range 240 {
				c := im.RGBAAt(x, y)
				n := random.IntN(13) - 6 + frame
				im.SetRGBA(x, y, color.RGBA{noisy(c.R, n), noisy(c.G, n), noisy(c.B, n), 255})
			}
		}
		all = append(all, file{fmt.Sprint(frame), encoded(t, im, 85)})
	}
	for _, f := range find(t, all) {
		t.Errorf("%+v", f)
	}
}

func noisy(v uint8, n int) uint8 { return uint8(min(max(int(v)+n, 0), 255)) }

// Images with nothing in them are alike, but nobody copied them.
func TestFlatImagesAreNoCopies(t *testing.T) {
	var all files
	for i, c := range []uint8{255, 254, 250, 128, 0} {
		im := image.NewRGBA(image.Rect(0, 0, 120, 90))
		for p := range im.Pix {
			im.Pix[p] = c
		}
		all = append(all, file{fmt.Sprint("flat ", i), encodedPNG(t, im)}, file{fmt.Sprint("flat JPEG ", i), encoded(t, im, 80)})
	}
	for i := range 4 { // light that falls off to one side
		im := image.NewRGBA(image.Rect(0, 0, 120+i, 90))
		for y := range 90 {
			for x := range 120 + i {
				v := uint8(200 - x/2 - i*5)
				im.SetRGBA(x, y, color.RGBA{v, v, v, 255})
			}
		}
		all = append(all, file{fmt.Sprint("gradient ", i), encoded(t, im, 80)})
	}
	for _, f := range find(t, all) {
		t.Errorf("%+v", f)
	}
}

// A group may mix kinds of copies: the kind of each image is the closest that it has with any other.
func TestKindsAndLeaks(t *testing.T) {
	one, other, third := scene(1, 200, 150), scene(2, 150, 200), scene(3, 180, 180)
	all := files{
		{"a.png", encodedPNG(t, one)},
		{"b.png", encodedPNG(t, one)},
		{"c.png", encodedPNG(t, other)},
		{"val/a mirrored.jpg", encoded(t, mirrored(one), 80)},
		{"d.png", encodedPNG(t, third)},
		{"val/c.png", append(encodedPNG(t, other), "after the image's end"...)},
		{"d again.jpg", encoded(t, third, 95)},
	}
	found := find(t, all)
	want := map[string]audit.Finding{
		"a.png":              {Image: "a.png", Kind: audit.Duplicate, Score: 1, Label: "class 0", Part: "train", Group: 1, Leak: true, Detail: "the largest of the group", Others: []string{"b.png", "val/a mirrored.jpg"}},
		"b.png":              {Image: "b.png", Kind: audit.Duplicate, Score: 1, Label: "class 1", Part: "train", Group: 1, Leak: true, Detail: "the same file", Others: []string{"a.png", "val/a mirrored.jpg"}},
		"val/a mirrored.jpg": {Image: "val/a mirrored.jpg", Kind: audit.NearCopy, Label: "class 1", Part: "val", Group: 1, Leak: true, Detail: "mirrored", Others: []string{"a.png", "b.png"}},
		"c.png":              {Image: "c.png", Kind: audit.SamePixels, Score: 1, Label: "class 0", Part: "train", Group: 2, Leak: true, Detail: "the same pixels", Others: []string{"val/c.png"}},
		"val/c.png":          {Image: "val/c.png", Kind: audit.SamePixels, Score: 1, Label: "class 1", Part: "val", Group: 2, Leak: true, Detail: "the largest of the group", Others: []string{"c.png"}},
		"d.png":              {Image: "d.png", Kind: audit.NearCopy, Label: "class 0", Part: "train", Group: 3, Detail: "the largest of the group", Others: []string{"d again.jpg"}},
		"d again.jpg":        {Image: "d again.jpg", Kind: audit.NearCopy, Label: "class 0", Part: "train", Group: 3, Detail: "encoded again", Others: []string{"d.png"}},
	}
	for name, w := range want {
		got := found[name]
		if w.Kind == audit.NearCopy {
			if got.Score < 0.95 || got.Score > 1 {
				t.Errorf("%s: score %v", name, got.Score)
			}
			got.Score = 0
		}
		if !reflect.DeepEqual(got, w) {
			t.Errorf("%s:\n%+v\nwant\n%+v", name, got, w)
		}
	}
	if len(found) != len(want) {
		t.Errorf("%d findings", len(found))
	}
}

// A large group names some others of each image, the nearest first, and of every part.
func TestLargeGroupNamesSomeOthers(t *testing.T) {
	one := encodedPNG(t, scene(1, 200, 150))
	var all files
	for i := range 300 {
		all = append(all, file{fmt.Sprintf("%03d.png", i), one})
	}
	all = append(all, file{"val/last.png", one})
	found := find(t, all)
	for name, f := range found {
		if len(f.Others) != audit.MostOthers || slices.Contains(f.Others, name) || name != "000.png" && f.Others[0] != "000.png" {
			t.Fatalf("%s: others %q", name, f.Others)
		}
		if name != "val/last.png" && !slices.Contains(f.Others, "val/last.png") {
			t.Fatalf("%s does not name the one in another part: %q", name, f.Others)
		}
	}
	if len(found) != len(all) {
		t.Errorf("%d findings", len(found))
	}
}

// What cannot be decoded is listed, and says why; other errors end the search.
func TestUnreadable(t *testing.T) {
	_, all := originals(t, 2)
	all = append(all, file{"broken.jpg", []byte("no image")}, file{"empty", nil}, file{"again.jpg", all[1].bytes})
	findings, bad, err := search(all).Find(t.Context())
	if err != nil || len(findings) != 2 || len(bad) != 2 || bad[0].Index != 2 || bad[1].Index != 3 || pipeline.KindOf(bad[0].Err) != pipeline.BadData {
		t.Errorf("%v, %v, %v", findings, bad, err)
	}
	broken := errors.New("the disk is broken")
	s := search(all)
	s.Decode = func(context.Context, []byte, pipeline.Sample) ([]byte, int, int, error) { return nil, 0, 0, broken }
	if _, _, err := s.Find(t.Context()); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestFindStops(t *testing.T) {
	_, all := originals(t, 5)
	for _, phase := range []string{"check", "match"} {
		ctx, cancel := context.WithCancel(t.Context())
		s := search(append(all, all...))
		s.Progress = func(e pipeline.Event) {
			if e.Phase == phase {
				cancel()
			}
		}
		if _, _, err := s.Find(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", phase, err)
		}
		cancel()
	}
}

func TestFindingsDoNotDependOnWorkers(t *testing.T) {
	pictures, all := originals(t, 6)
	for i, im := range pictures {
		all = append(all, file{fmt.Sprint("mirrored ", i), encoded(t, mirrored(im), 70)}, file{fmt.Sprint("cropped ", i), encoded(t, cropped(im, 0.1, 0, 0, 0.1), 70)})
	}
	var first []audit.Finding
	for _, workers := range []int{1, 4} {
		s := search(all)
		s.Workers = workers
		findings, _, err := s.Find(t.Context())
		if err != nil || len(findings) != 18 {
			t.Fatalf("%d findings, %v", len(findings), err)
		}
		if first != nil && !reflect.DeepEqual(findings, first) {
			t.Errorf("%+v\n%+v", findings, first)
		}
		first = findings
	}
}

func TestNothing(t *testing.T) {
	if findings, bad, err := search(nil).Find(t.Context()); len(findings)+len(bad) > 0 || err != nil {
		t.Errorf("%v, %v, %v", findings, bad, err)
	}
	for _, size := range [][2]int{{1, 1}, {1, 500}, {3, 2}, {900, 2}} { // nothing to see, and no crash
		im := scene(1, size[0], size[1])
		find(t, files{{"a", encodedPNG(t, im)}, {"b", encoded(t, im, 90)}, {"c", encodedPNG(t, mirrored(im))}})
	}
}
