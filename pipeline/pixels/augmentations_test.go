package pixels

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// only returns an augmentation with one field set, or for a setting of others,
// what it applies to as well. It reports whether the field is one of those.
func only(t *testing.T, field int) (a pipeline.Augmentation, setting bool) {
	t.Helper()
	a.FillMode = "nearest"
	name := reflect.TypeFor[pipeline.Augmentation]().Field(field).Name
	if setting = slices.Contains([]string{"FillMode", "CVal", "Copies"}, name); setting {
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
		})
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
