package pixels

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// isSetting reports whether a field changes nothing by itself, only what the
// others do.
func isSetting(field string) bool {
	return slices.Contains([]string{"FillMode", "CVal", "Copies"}, field)
}

// only returns an augmentation with one field set. If that is a setting, which it
// reports, there is something for it to apply to.
func only(t *testing.T, field int) (a pipeline.Augmentation, setting bool) {
	t.Helper()
	a.FillMode = "nearest"
	name := reflect.TypeFor[pipeline.Augmentation]().Field(field).Name
	if setting = isSetting(name); setting {
		a.RotationRange, a.FillMode = 40, "constant"
	}
	switch v := reflect.ValueOf(&a).Elem().Field(field).Addr().Interface().(type) {
	case *bool:
		*v = true
	case *int:
		*v = 2
	case *float64:
		*v = 0.75
	case *pipeline.Factors:
		*v = pipeline.Factors{0.5, 0.75}
	case *string:
		*v = "reflect"
	default:
		t.Fatalf("field %s is a %T: add a value for it to this test", name, v)
	}
	return a, setting
}

// Every field of pipeline.Augmentation has an option, is described, counts as an
// augmentation, and changes pixels, under a variant of its own in the cache.
func TestEveryFieldDoesSomething(t *testing.T) {
	fields := reflect.TypeFor[pipeline.Augmentation]()
	options := AugmentOptions(&pipeline.Augmentation{})
	if len(options) != fields.NumField() {
		t.Errorf("%d options for %d fields", len(options), fields.NumField())
	}
	images := noise(8)
	for i := range fields.NumField() {
		key, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		name := pipeline.Option(strings.ReplaceAll(key, "_", "-"))
		t.Run(string(name), func(t *testing.T) {
			at := slices.IndexFunc(options, func(o AugmentOption) bool { return o.Name == name })
			if at < 0 || options[at].Usage == "" {
				t.Fatal("has no option of this name with a usage")
			}
			a, setting := only(t, i)
			if err := CheckAugmentation(a); err != nil {
				t.Error(err)
			}
			if !a.Enabled() {
				t.Error("does not count as an augmentation")
			}
			notes, _ := DescribeAugmentation(a)
			if !slices.Contains(strings.Fields(notes[0].String()), string(name)) {
				t.Errorf("is not described: %s", notes[0])
			}
			before := pipeline.Augmentation{FillMode: "nearest"}
			if setting {
				before.RotationRange, before.FillMode = 40, "constant"
			}
			if before.Enabled() != setting {
				t.Errorf("without it, enabled is %v", before.Enabled())
			}
			compareVariants(t, a, before, images)
			requireVariants(t, a, images)
		})
	}
}

// requireVariants requires that an image has a variant if and only if it is
// changed: one that stays as it is shares the original's cached features.
func requireVariants(t *testing.T, a pipeline.Augmentation, images pipeline.Batch) {
	t.Helper()
	g, err := NewAugmenter(a, 1, 24, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for epoch := 1; epoch <= 4; epoch++ {
		made := pipeline.Batch{Samples: images.Samples, Shape: images.Shape, Data: augment(t, a, epoch, 1, images)}
		for i, s := range images.Samples {
			// Compared as bits, because -0 is another number for a network.
			same := slices.EqualFunc(some(made, i, i+1).Data, some(images, i, i+1).Data, func(a, b float32) bool {
				return math.Float32bits(a) == math.Float32bits(b)
			})
			if variant := g.Variant(epoch, s); same != (variant == "") {
				t.Errorf("epoch %d: %s is unchanged: %v, its variant is %q", epoch, s.ID, same, variant)
			}
		}
	}
}

// Every augmentation is either a geometry or a colour: any other is never applied.
func TestEveryAugmentationIsGeometryOrColour(t *testing.T) {
	for _, x := range augmentations(&pipeline.Augmentation{}) {
		_, moves := x.(geometry)
		_, colours := x.(colour)
		if moves == colours {
			t.Errorf("%T: geometry %v, colour %v", x, moves, colours)
		}
	}
}

// Every augmentation takes the same number of values from the stream, whatever
// its options: otherwise enabling one changes what those after it draw.
func TestDrawTakesTheSameNumberOfValues(t *testing.T) {
	enabled := map[string]pipeline.Augmentation{"everything": everything()}
	for i := range reflect.TypeFor[pipeline.Augmentation]().NumField() {
		enabled[reflect.TypeFor[pipeline.Augmentation]().Field(i).Name], _ = only(t, i)
	}
	for name, a := range enabled {
		for at, with := range augmentations(&a) {
			without := augmentations(&pipeline.Augmentation{})[at]
			for epoch := range 20 { // what is drawn must not matter, either
				var next [2]float64
				for k, x := range []augmentation{without, with} {
					d, random := newDraw(pipeline.Augmentation{}, 1, epoch, "a", 24, 20), newStream(1, epoch, "a")
					x.draw(random, &d)
					next[k] = random.unit()
				}
				if next[0] != next[1] {
					t.Fatalf("%T with %s, epoch %d: the next value is %v, without it %v", with, name, epoch, next[1], next[0])
				}
			}
		}
	}
}

// A colour that is off records no value: all images count as unchanged.
func TestColourThatIsOffHasNoValue(t *testing.T) {
	for _, a := range []pipeline.Augmentation{{}, {BrightnessRange: pipeline.Factors{1, 1}, ContrastRange: pipeline.Factors{1, 1}}} {
		d := newDraw(a, 1, 1, "a", 24, 20)
		if i := slices.IndexFunc(d.values, func(v drawn) bool { return v.colour }); i >= 0 || !d.none() {
			t.Errorf("%+v draws %s", a, text(t, d))
		}
	}
}

// compareVariants requires that a and b change the pixels of some image
// differently, and that every such image has another variant.
func compareVariants(t *testing.T, a, b pipeline.Augmentation, images pipeline.Batch) {
	t.Helper()
	size, differ := len(images.Data)/len(images.Samples), 0
	for epoch := 1; epoch <= 4; epoch++ {
		var made [2][]float32
		var variants [2][]string
		for k, a := range []pipeline.Augmentation{a, b} {
			g, err := NewAugmenter(a, 1, 24, 20, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range images.Samples {
				variants[k] = append(variants[k], g.Variant(epoch, s))
			}
			made[k] = augment(t, a, epoch, 1, images)
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}
		for i := range images.Samples {
			if slices.Equal(made[0][i*size:(i+1)*size], made[1][i*size:(i+1)*size]) {
				continue
			}
			if differ++; variants[0][i] == variants[1][i] {
				t.Fatalf("different pixels have the variant %q", variants[0][i])
			}
		}
	}
	if differ == 0 {
		t.Error("changes no pixels")
	}
}

func TestDescribeAugmentation(t *testing.T) {
	for _, tt := range []struct {
		a               pipeline.Augmentation
		notes, warnings string
	}{
		{pipeline.Augmentation{}, "augmentation:", ""},
		{pipeline.Augmentation{HorizontalFlip: true, FillMode: "wrap", CVal: 3}, "augmentation: <horizontal-flip>", ""},
		{
			pipeline.Augmentation{ShearRange: 0.2, ZoomRange: pipeline.Factors{0.8, 1.2}, FillMode: "nearest"},
			"augmentation: <shear-range> 0.2 <zoom-range> 0.8,1.2 <fill-mode> nearest\nnote: <shear-range> is in degrees, as in Keras: 0.2 is hardly visible", "",
		},
		{
			pipeline.Augmentation{RotationRange: 5, FillMode: "constant", Copies: 2},
			"augmentation: <rotation-range> 5 <fill-mode> constant <cval> 0 <augment-copies> 2",
			"<fill-mode> constant: TensorFlow blends the outermost pixels of an image with cval, Keras does not; all other pixels are equal",
		},
		{
			pipeline.Augmentation{RotationRange: 5, FillMode: "wrap"},
			"augmentation: <rotation-range> 5 <fill-mode> wrap",
			"<fill-mode> wrap: TensorFlow repeats an image after its last pixel, Keras one pixel earlier; the area beyond the edge differs",
		},
	} {
		lines := func(messages []pipeline.Message) string {
			var texts []string
			for _, m := range messages {
				texts = append(texts, m.Text(func(o pipeline.Option) string { return fmt.Sprintf("<%s>", o) }))
			}
			return strings.Join(texts, "\n")
		}
		notes, warnings := DescribeAugmentation(tt.a)
		if lines(notes) != tt.notes || lines(warnings) != tt.warnings {
			t.Errorf("%+v:\n%s\nwarnings: %s", tt.a, lines(notes), lines(warnings))
		}
	}
}

func TestCheckAugmentation(t *testing.T) {
	if err := CheckAugmentation(everything()); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*pipeline.Augmentation){
		"rotation-range":      func(a *pipeline.Augmentation) { a.RotationRange = -1 },
		"width-shift-range":   func(a *pipeline.Augmentation) { a.WidthShiftRange = math.Inf(1) },
		"height-shift-range":  func(a *pipeline.Augmentation) { a.HeightShiftRange = math.NaN() },
		"shear-range":         func(a *pipeline.Augmentation) { a.ShearRange = 90 },
		"zoom-range":          func(a *pipeline.Augmentation) { a.ZoomRange = pipeline.Factors{0, 2} },
		"random-resized-crop": func(a *pipeline.Augmentation) { a.RandomResizedCrop = pipeline.Factors{0.5, 1.1} },
		"channel-shift-range": func(a *pipeline.Augmentation) { a.ChannelShiftRange = 256 },
		"brightness-range":    func(a *pipeline.Augmentation) { a.BrightnessRange = pipeline.Factors{1.2, 0.8} },
		"contrast-range":      func(a *pipeline.Augmentation) { a.ContrastRange = pipeline.Factors{-1, 1} },
		"fill-mode":           func(a *pipeline.Augmentation) { a.FillMode = "mirror" },
		"cval":                func(a *pipeline.Augmentation) { a.CVal = 300 },
		"augment-copies":      func(a *pipeline.Augmentation) { a.Copies = -1 },
	} {
		a := everything()
		change(&a)
		err := CheckAugmentation(a)
		if err == nil || pipeline.OptionOf(err) != pipeline.Option(name) || pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every number has bounds. None of these values is within any.
func TestEveryNumberHasBounds(t *testing.T) {
	a := pipeline.Augmentation{FillMode: "nearest"}
	nan, inf := math.NaN(), math.Inf(1)
	for i, o := range AugmentOptions(&a) {
		var invalid []any
		switch o.Value.(type) {
		case *int:
			invalid = []any{-1}
		case *float64:
			invalid = []any{nan, -1.0, inf}
		case *pipeline.Factors:
			invalid = []any{pipeline.Factors{nan, 1}, pipeline.Factors{1, nan}, pipeline.Factors{-1, 1}, pipeline.Factors{0.5, inf}, pipeline.Factors{1, 0.5}}
		}
		for _, v := range invalid {
			changed := a
			reflect.ValueOf(AugmentOptions(&changed)[i].Value).Elem().Set(reflect.ValueOf(v))
			if err := CheckAugmentation(changed); pipeline.OptionOf(err) != o.Name || pipeline.KindOf(err) != pipeline.BadUsage {
				t.Errorf("%s %v: %v", o.Name, v, err)
			}
		}
	}
}

func TestPresets(t *testing.T) {
	for _, name := range []string{"article", "light", "strong"} {
		a, err := PresetAugmentation(name)
		if err != nil || !a.Enabled() || CheckAugmentation(a) != nil {
			t.Errorf("%s: %+v, %v, %v", name, a, err, CheckAugmentation(a))
		}
	}
	if a, err := PresetAugmentation(""); err != nil || a.Enabled() {
		t.Errorf("no preset: %+v, %v", a, err)
	}
	if _, err := PresetAugmentation("heavy"); pipeline.OptionOf(err) != "augment" || pipeline.KindOf(err) != pipeline.BadUsage {
		t.Error(err)
	}
}
