package savedmodels

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"

	"tftl/pipeline"
)

// inInt8 is a runtime in int8, or skips the test where there is none.
func inInt8(t *testing.T) *Runtime {
	t.Helper()
	if !computesInt8() {
		t.Skip("int8 needs oneDNN")
	}
	r, err := Resolve(Options{Precision: Int8, Device: "cpu", Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func loadIn(t *testing.T, dir string, r *Runtime) *Model {
	t.Helper()
	m, err := Load(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// calibrated is the fixture with the ranges of a few pictures.
func calibrated(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "calibrated")
	m := load(t, filepath.Join(fixtures, "quantized"))
	err := m.Calibrate(t.Context(), dir, func(use func(pipeline.Batch) error) error {
		return errors.Join(use(noise(5, 2)), use(noise(6, 2)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCalibrationIsKept(t *testing.T) {
	m := load(t, calibrated(t))
	info := m.Description.Int8
	if info.Photographs != 11 || len(info.Ranges) != 4 || info.Share < 0.6 {
		t.Errorf("it says %+v", info)
	}
	was, err := os.Stat(filepath.Join(fixtures, "quantized", "saved_model.pb"))
	if err != nil {
		t.Fatal(err)
	}
	now, err := os.Stat(filepath.Join(m.Dir, "saved_model.pb"))
	if err != nil || !os.SameFile(was, now) && now.Size() != was.Size() {
		t.Errorf("the graph is another: %v", err)
	}
}

func TestInt8IsNearFloat32(t *testing.T) {
	r, dir := inInt8(t), calibrated(t)
	exact, rounded, images := load(t, dir), loadIn(t, dir, r), noise(6, 3)
	for _, stage := range []string{"head", "from_middle"} {
		want := features(t, openStage(t, exact, stage, 3), images)
		s := openStage(t, rounded, stage, 3)
		got := features(t, s, images)
		if d := distance(got.Data, want.Data); d > 0.05 || d == 0 || !slices.Equal(got.Shape, want.Shape) {
			t.Errorf("stage %s: differs by %g, shape %v instead of %v", stage, d, got.Shape, want.Shape)
		}
		if again := features(t, s, images); !slices.Equal(again.Data, got.Data) {
			t.Errorf("stage %s: does not repeat", stage)
		}
		alone := images
		alone.Shape, alone.Data, alone.Samples = []int64{1, 32, 32, 3}, images.Data[:32*32*3], images.Samples[:1]
		if one := features(t, s, alone); !slices.Equal(one.Data, got.Data[:len(one.Data)]) {
			t.Errorf("stage %s: an image depends on the others of its batch", stage)
		}
		a, errA := exact.FeatureSpace(stage, "")
		b, errB := rounded.FeatureSpace(stage, "")
		if a == b || errA != nil || errB != nil {
			t.Errorf("stage %s: both precisions have the feature space %s, %v, %v", stage, a, errA, errB)
		}
	}
}

// A stage that is cut at the images has nothing to compute in int8.
func TestInt8OfTheWholeNetwork(t *testing.T) {
	dir, images := calibrated(t), noise(4, 3)
	got := features(t, openStage(t, loadIn(t, dir, inInt8(t)), "all", 3), images)
	want := features(t, openStage(t, load(t, dir), "all", 3), images)
	if !slices.Equal(got.Data, want.Data) {
		t.Error("its features are not the pixels")
	}
}

func TestInt8ExplainsFromMaps(t *testing.T) {
	s := openStage(t, loadIn(t, calibrated(t), inInt8(t)), "head", 3)
	features, maps, err := s.(pipeline.Explainer).FeaturesAndMaps(t.Context(), noise(4, 3))
	if err != nil || !slices.Equal(features.Shape, []int64{4, 32}) || !slices.Equal(maps.Shape, []int64{4, 8, 8, 32}) {
		t.Errorf("features %v, maps %v, %v", features.Shape, maps.Shape, err)
	}
}

// The filters are those of the export. A stage that trains what is above its cut goes
// on; one with other weights below it cannot.
func TestInt8NeedsTheExportedWeights(t *testing.T) {
	r, dir, images := inInt8(t), calibrated(t), noise(6, 3)
	trained := filepath.Join(t.TempDir(), "trained")
	m := loadIn(t, dir, r)
	deeper := openStage(t, m, "from_middle", 3)
	below := features(t, deeper, images)
	for range 3 {
		step(t, deeper, below)
	}
	if err := deeper.Save(t.Context(), trained); err != nil {
		t.Fatal(err)
	}
	if err := deeper.Restore(t.Context(), trained); err != nil {
		t.Errorf("the stage that trained it: %v", err)
	}
	if again := features(t, deeper, images); !slices.Equal(again.Data, below.Data) {
		t.Error("training has changed the frozen part")
	}
	err := openStage(t, m, "head", 3).Restore(t.Context(), trained)
	if pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), "other weights") {
		t.Errorf("the head on changed weights: %v", err)
	}
}

func TestWhyNotInt8(t *testing.T) {
	r := inInt8(t)
	without := copyModel(t, "quantized")
	d := load(t, without).Description
	d.Int8 = nil
	if err := writeDescription(without, *d); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ dir, stage, want string }{
		{filepath.Join(fixtures, "quantized"), "head", "it is not calibrated"},
		{filepath.Join(fixtures, "tiny"), "head", "reach 0% of its multiplications"},
		{without, "head", "it was exported without an int8 part"},
	} {
		m := loadIn(t, test.dir, r)
		_, err := m.Open(t.Context(), test.stage)
		if pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: %v, want %q", test.dir, test.stage, err, test.want)
		}
		if _, err := m.FeatureSpace(test.stage, ""); pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%s, %s: its feature space: %v", test.dir, test.stage, err)
		}
	}
	t.Setenv("TF_ENABLE_ONEDNN_OPTS", "0")
	if _, err := Resolve(Options{Precision: Int8, Device: "cpu"}); pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("without oneDNN: %v", err)
	}
}

func TestBadRangesAreRefused(t *testing.T) {
	for name, ranges := range map[string][]float32{
		"too few": {1, 2}, "negative": {1, -2, 3, 4}, "none": {1, 0, 2, 3},
	} {
		dir := calibrated(t)
		d := load(t, dir).Description
		d.Int8.Ranges = ranges
		if err := writeDescription(dir, *d); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir, nil); pipeline.KindOf(err) != pipeline.BadModel {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The kernels of quantised convolutions crash on shapes that they do not expect.
func TestHostileInt8IsRefused(t *testing.T) {
	r, dir := inInt8(t), calibrated(t)
	for want, change := range map[string]func(conv, narrower *node_def_go_proto.NodeDef){
		"does not check the shape": func(conv, _ *node_def_go_proto.NodeDef) { // the sum of other shapes
			conv.Op = quantizedSum
			conv.Input = append(conv.Input, conv.Input[0], conv.Input[3], conv.Input[4])
			conv.Attr["Tsummand"] = conv.Attr["Tinput"]
		},
		"input 5 has shape [8], not [16]": func(conv, narrower *node_def_go_proto.NodeDef) {
			conv.Input[5], conv.Input[6] = narrower.Input[5], narrower.Input[6]
		},
	} {
		m := loadIn(t, dir, r)
		g, err := m.int8().graphDef()
		if err != nil {
			t.Fatal(err)
		}
		var convolutions []*node_def_go_proto.NodeDef
		for _, node := range g.GetNode() {
			if strings.HasPrefix(node.GetOp(), "QuantizedConv2D") {
				convolutions = append(convolutions, node)
			}
		}
		change(convolutions[1], convolutions[0])
		s := openStage(t, m, "head", 3)
		_, err = s.Features(t.Context(), noise(2, 3))
		if pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
