package pixels

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"tftl/pipeline"
)

// everything enables every augmentation; TestEverything finds one that is missing.
func everything() pipeline.Augmentation {
	return pipeline.Augmentation{
		HorizontalFlip: true, VerticalFlip: true, RotationRange: 40, WidthShiftRange: 0.2, HeightShiftRange: 5, ShearRange: 20,
		ZoomRange: pipeline.Factors{0.7, 1.4}, RandomResizedCrop: pipeline.Factors{0.3, 0.9},
		ChannelShiftRange: 30, BrightnessRange: pipeline.Factors{0.5, 1.5}, ContrastRange: pipeline.Factors{0.6, 1.1}, FillMode: "reflect",
	}
}

func TestEverything(t *testing.T) {
	fields := reflect.ValueOf(everything())
	for i := range fields.NumField() {
		if name := fields.Type().Field(i).Name; fields.Field(i).IsZero() && !isSetting(name) {
			t.Errorf("%s is missing: add it", name)
		}
	}
}

// The expected matrices are what Keras 3.15's apply_affine_transform hands to
// scipy.ndimage.affine_transform for an image of 64x64, with its rows and
// columns in the order x, y.
func TestTransformIsKeras(t *testing.T) {
	for _, c := range []struct {
		around matrix
		want   matrix
	}{
		{
			rotated(30).times(moved(3, -2)).times(sheared(10)).times(scaled(0.8, 1.25)),
			matrix{{0.692820323027551, -0.8034845121081741, 38.58399816739294}, {0.39999999999999997, 0.9575555538987226, -11.495050755378639}, {0, 0, 1}},
		},
		{
			rotated(-77.5).times(sheared(-45)).times(scaled(1.9, 0.3)),
			matrix{{0.4112352664823955, 0.2530174337438657, 10.576039942872772}, {-1.8549624135278733, -0.16118988250404712, 95.0087973250055}, {0, 0, 1}},
		},
		{moved(-11.25, 40), matrix{{1, 0, -11.25}, {0, 1, 40}, {0, 0, 1}}},
	} {
		got := Draw{height: 64, width: 64, around: c.around, crop: moved(0, 0)}.transform()
		for i := range got {
			for j := range got[i] {
				if math.Abs(got[i][j]-c.want[i][j]) > 1e-12*64 {
					t.Errorf("%v: [%d][%d] is %v, want %v", c.around, i, j, got[i][j], c.want[i][j])
				}
			}
		}
	}
}

func TestTurnsAroundTheCentreOfAnyFrame(t *testing.T) {
	a := pipeline.Augmentation{RotationRange: 90, ShearRange: 20, ZoomRange: pipeline.Factors{0.7, 1.2}, VerticalFlip: true}
	for epoch := range 20 {
		m, x, y := newDraw(a, 1, epoch, "a", 31, 75).transform(), 37.0, 15.0
		if gotX, gotY := m[0][0]*x+m[0][1]*y+m[0][2], m[1][0]*x+m[1][1]*y+m[1][2]; math.Abs(gotX-x)+math.Abs(gotY-y) > 1e-9 {
			t.Errorf("the centre %v, %v goes to %v, %v", x, y, gotX, gotY)
		}
	}
}

// value returns what was drawn under a name; zero if nothing was.
func value[T any](d Draw, name string) T {
	for _, v := range d.values {
		if v.name == name {
			return v.value.(T)
		}
	}
	return *new(T)
}

// TestDrawsAreUniform compares the distribution of each value with the expected
// one. For 30000 true draws their largest (Kolmogorov) distance is below 0.01,
// except with one seed in 200; the seed is fixed.
func TestDrawsAreUniform(t *testing.T) {
	a := everything()
	const n = 30000
	values := map[string][]float64{}
	flipped := [2]int{}
	for i := range n {
		d := newDraw(a, 7, 1+i%3, fmt.Sprintf("image %d", i/3), 50, 100)
		for name, r := range map[string][2]float64{
			"theta": {-40, 40}, "tx": {-20, 20}, "ty": {-5, 5}, "shear": {-20, 20}, "zx": {0.7, 1.4}, "zy": {0.7, 1.4},
			"channel_shift_intensity": {-30, 30}, "brightness": {0.5, 1.5}, "contrast": {0.6, 1.1},
		} {
			values[name] = append(values[name], (value[float64](d, name)-r[0])/(r[1]-r[0]))
		}
		crop := value[[4]float64](d, "crop")
		left, top, width, height := crop[0], crop[1], crop[2], crop[3]
		values["area"] = append(values["area"], (width*height-0.3)/0.6)
		values["left"] = append(values["left"], left/(1-width))
		values["top"] = append(values["top"], top/(1-height))
		if aspect := width / height; aspect < 3.0/4-1e-9 || aspect > 4.0/3+1e-9 {
			t.Fatalf("crop %v has the aspect %v", crop, aspect)
		}
		for k, name := range []string{"flip_horizontal", "flip_vertical"} {
			if value[bool](d, name) {
				flipped[k]++
			}
		}
	}
	for name, values := range values {
		slices.Sort(values)
		if values[0] < -1e-12 || values[n-1] > 1+1e-12 {
			t.Errorf("%s leaves its range: %v to %v of it", name, values[0], values[n-1])
		}
		var furthest float64
		for i, v := range values {
			furthest = max(furthest, math.Abs(v-float64(i)/n))
		}
		if furthest > 0.01 {
			t.Errorf("%s is not uniform: %v from it", name, furthest)
		}
	}
	for _, count := range flipped {
		if math.Abs(float64(count)/n-0.5) > 0.01 {
			t.Errorf("%d of %d are flipped", count, n)
		}
	}
}

func TestDrawIsOfSeedEpochAndSampleAlone(t *testing.T) {
	a := everything()
	first := text(t, newDraw(a, 1, 1, "a", 32, 32))
	if again := text(t, newDraw(a, 1, 1, "a", 32, 32)); again != first {
		t.Errorf("drawn again: %s, before: %s", again, first)
	}
	for name, other := range map[string]Draw{
		"seed": newDraw(a, 2, 1, "a", 32, 32), "epoch": newDraw(a, 1, 2, "a", 32, 32), "sample": newDraw(a, 1, 1, "b", 32, 32),
	} {
		if text(t, other) == first {
			t.Errorf("another %s gives the same draw", name)
		}
	}
	// Without one option, the others draw the same.
	a.RotationRange, a.ChannelShiftRange = 0, 0
	d, less := newDraw(everything(), 1, 1, "a", 32, 32), newDraw(a, 1, 1, "a", 32, 32)
	d.values[0].value = 0.0
	d.values = slices.DeleteFunc(d.values, func(v drawn) bool { return v.name == "channel_shift_intensity" })
	if text(t, less) != text(t, d) {
		t.Errorf("without rotation %s, with it %s", text(t, less), text(t, d))
	}
}

// Later versions of the program must be able to resume runs. A new augmentation
// may only add to the end of the text: anything else changes what those before it
// draw.
func TestDrawStaysAsItIs(t *testing.T) {
	d := newDraw(everything(), 1, 2, "cats/1.jpg", 64, 48)
	crop := slices.IndexFunc(d.values, func(v drawn) bool { return v.name == "crop" })
	box := fmt.Sprintf("%.9f", d.values[crop].value) // its exponential is rounded differently on some processors
	if want := "[0.448720256 0.010983853 0.537210230 0.583415292]"; box != want {
		t.Errorf("crop is %s, want %s", box, want)
	}
	d.values[crop].value = [4]float64{}
	got := text(t, d)
	want := `{"theta":-1.5134058351852246,"tx":7.979014837608126,"ty":-0.3446565043992411,"shear":11.487871130455325,` +
		`"zx":0.9590769548306471,"zy":0.7226058588242038,"flip_horizontal":true,"flip_vertical":true,"crop":[0,0,0,0],` +
		`"channel_shift_intensity":-14.14864143024464,"brightness":0.6776802134812394,"contrast":0.8784390266884121}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func text(t *testing.T, d Draw) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// noise returns n images of 24x20 of which any two draws make different ones.
func noise(n int) pipeline.Batch {
	b := pipeline.Batch{Shape: []int64{int64(n), 24, 20, 3}}
	state := uint32(1)
	for i := range n {
		b.Samples = append(b.Samples, pipeline.Sample{ID: fmt.Sprint("noise/", i), Weight: 1})
		for range 24 * 20 * 3 {
			state = state*1664525 + 1013904223
			b.Data = append(b.Data, float32(state>>16)/257)
		}
	}
	return b
}

// part copies the images [from, to) of a batch.
func part(b pipeline.Batch, from, to int) pipeline.Batch {
	size := len(b.Data) / len(b.Samples)
	return pipeline.Batch{
		Samples: b.Samples[from:to], Shape: []int64{int64(to - from), b.Shape[1], b.Shape[2], 3},
		Data: slices.Clone(b.Data[from*size : to*size]),
	}
}

func augment(t *testing.T, a pipeline.Augmentation, epoch, threads int, b pipeline.Batch) []float32 {
	t.Helper()
	g, err := NewAugmenter(a, 1, int(b.Shape[1]), int(b.Shape[2]), threads)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	out, err := g.Apply(t.Context(), epoch, part(b, 0, len(b.Samples)))
	if err != nil {
		t.Fatal(err)
	}
	return out.Data
}

// The result for an image depends neither on its batch, nor on threads, nor on
// what else runs.
func TestApplyIsOfEachImageAlone(t *testing.T) {
	a, b := everything(), noise(13)
	want := augment(t, a, 3, 1, b)
	if slices.Equal(want, b.Data) {
		t.Fatal("nothing was changed")
	}
	size := len(want) / 13
	g, err := NewAugmenter(a, 1, 24, 20, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var running sync.WaitGroup
	for from := range 13 {
		for _, to := range []int{from + 1, min(from+5, 13), 13} {
			running.Go(func() {
				got, err := g.Apply(t.Context(), 3, part(b, from, to))
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(got.Data, want[from*size:to*size]) {
					t.Errorf("images %d to %d differ from those of the whole batch", from, to)
				}
			})
		}
	}
	running.Wait()
}

func TestZeroRangesAreTheIdentity(t *testing.T) {
	b := noise(4)
	b.Data[0], b.Data[1], b.Data[2] = -3.5, 270.25, float32(math.Copysign(0, -1)) // possible after bicubic resizing
	for name, a := range map[string]pipeline.Augmentation{
		"zero": {},
		"ones": {
			ZoomRange: pipeline.Factors{1, 1}, RandomResizedCrop: pipeline.Factors{1, 1},
			BrightnessRange: pipeline.Factors{1, 1}, ContrastRange: pipeline.Factors{1, 1}, FillMode: "nearest",
		},
	} {
		if a.Enabled() {
			t.Errorf("%s is enabled", name)
		}
		got := augment(t, a, 1, 1, b)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(b.Data[i]) {
				t.Fatalf("%s: value %d is %v, was %v", name, i, got[i], b.Data[i])
			}
		}
	}
	// So is a draw without a flip, in one graph with flips.
	a := pipeline.Augmentation{HorizontalFlip: true, VerticalFlip: true, FillMode: "constant", CVal: 9}
	seen := map[[2]bool]bool{}
	for epoch := 1; epoch < 20 && len(seen) < 4; epoch++ {
		got := augment(t, a, epoch, 1, b)
		for i, s := range b.Samples {
			d := newDraw(a, 1, epoch, s.ID, 24, 20)
			horizontal, vertical := value[bool](d, "flip_horizontal"), value[bool](d, "flip_vertical")
			seen[[2]bool{horizontal, vertical}] = true
			for y := range 24 {
				for x := range 20 {
					fromX, fromY := x, y
					if horizontal {
						fromX = 19 - x
					}
					if vertical {
						fromY = 23 - y
					}
					at, from := (i*24+y)*20+x, (i*24+fromY)*20+fromX
					if !slices.Equal(got[3*at:3*at+3], b.Data[3*from:3*from+3]) {
						t.Fatalf("%s: pixel %d, %d is not pixel %d, %d", text(t, d), x, y, fromX, fromY)
					}
				}
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("flips seen: %v", seen)
	}
}

func TestVariant(t *testing.T) {
	a := pipeline.Augmentation{HorizontalFlip: true, FillMode: "nearest"}
	g, err := NewAugmenter(a, 1, 24, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	texts := map[string]bool{}
	for epoch := 1; epoch <= 50; epoch++ {
		s := pipeline.Sample{ID: "a"}
		v := g.Variant(epoch, s)
		if flipped := value[bool](g.Draw(epoch, s), "flip_horizontal"); (v != "") != flipped {
			t.Errorf("flipped %v has the variant %q", flipped, v)
		}
		texts[v] = true
	}
	if len(texts) != 2 {
		t.Errorf("an image that is flipped or not has %d variants", len(texts))
	}
	// Anything else that changes pixels changes the variant.
	a.ZoomRange = pipeline.Factors{0.5, 2}
	variants := map[string]bool{}
	for _, change := range []func(*pipeline.Augmentation){
		func(*pipeline.Augmentation) {}, func(a *pipeline.Augmentation) { a.FillMode = "constant" },
		func(a *pipeline.Augmentation) { a.FillMode, a.CVal = "constant", 7 }, func(a *pipeline.Augmentation) { a.BrightnessRange = pipeline.Factors{0.9, 1.1} },
	} {
		b := a
		change(&b)
		g, err := NewAugmenter(b, 1, 24, 20, 1)
		if err != nil {
			t.Fatal(err)
		}
		variants[g.Variant(1, pipeline.Sample{ID: "a"})] = true
		g.Close()
	}
	if len(variants) != 4 {
		t.Errorf("%d variants of 4", len(variants))
	}
}

func TestCopiesTakeTurns(t *testing.T) {
	a := everything()
	a.Copies = 3
	g, err := NewAugmenter(a, 1, 24, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	s := pipeline.Sample{ID: "a"}
	for epoch := 1; epoch <= 9; epoch++ {
		first := newDraw(a, 1, []int{3, 1, 2}[epoch%3], s.ID, 24, 20)
		if got := g.Draw(epoch, s); text(t, got) != text(t, first) {
			t.Errorf("epoch %d is not one of the first three in turn", epoch)
		}
	}
}
