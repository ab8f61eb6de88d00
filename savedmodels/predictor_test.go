package savedmodels

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tftl/pipeline"
)

// train makes a run's model from the tiny network with a few steps, a checkpoint
// and an export. It also returns the stage's logits for the images.
func train(t *testing.T, stageName string, labels []string, images pipeline.Batch) (dir string, want []float32) {
	t.Helper()
	m := load(t, filepath.Join(fixtures, "tiny"))
	s := openStage(t, m, stageName, len(labels))
	f := features(t, s, images)
	for range 5 {
		step(t, s, f)
	}
	return exported(t, m, s, labels), logits(t, s, f)
}

// exported exports what a stage has learnt as a serving model.
func exported(t *testing.T, m *Model, s pipeline.Stage, labels []string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run [1]", "model") // must not be taken for a pattern
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(filepath.Dir(dir), "ckpt")
	if err := s.Save(t.Context(), prefix); err != nil {
		t.Fatal(err)
	}
	if err := m.Export(t.Context(), prefix, dir, labels); err != nil {
		t.Fatal(err)
	}
	return dir
}

func predictor(t *testing.T, m *Model, plain Plain) *Predictor {
	t.Helper()
	p, err := m.Predictor(plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestExportedModelPredictsWhatTheStageDid(t *testing.T) {
	for name, test := range map[string]struct {
		stage  string
		labels []string
	}{
		"two classes":   {"head", []string{"blue", "red"}},
		"three classes": {"head", []string{"blue", "green", "red"}},
		"a deep stage":  {"block1", []string{"blue", "green", "red"}},
	} {
		t.Run(name, func(t *testing.T) {
			images := noise(6, len(test.labels))
			dir, want := train(t, test.stage, test.labels, images)
			m := load(t, dir)
			if tags := m.MetaGraphs(); len(tags) != 1 || tags[0].Tags != "serve" {
				t.Errorf("it has %v", tags)
			}
			p := predictor(t, m, Plain{})
			if !slices.Equal(p.Labels, test.labels) || p.Input.Size != [2]int{32, 32} || p.Input.Interpolation != "bilinear" {
				t.Errorf("labels %v, input %+v", p.Labels, p.Input)
			}
			predictions, err := p.Predict(t.Context(), images)
			if err != nil || len(predictions) != 6 {
				t.Fatalf("%d predictions, %v", len(predictions), err)
			}
			var got []float32
			for i, prediction := range predictions {
				got = append(got, prediction.Logits...)
				if prediction.Sample != images.Samples[i] {
					t.Errorf("prediction %d is of %+v", i, prediction.Sample)
				}
				if !near(prediction.Probabilities, pipeline.Softmax(prediction.Logits)) {
					t.Errorf("probabilities %v of logits %v", prediction.Probabilities, prediction.Logits)
				}
			}
			if !near(got, want) {
				t.Errorf("logits\n%v, the stage's\n%v", got, want)
			}
		})
	}
}

func TestExportedModelSaysWhatItIs(t *testing.T) {
	labels := []string{"blue", "red"}
	dir, _ := train(t, "head", labels, noise(4, 2))
	d := load(t, dir).Description
	if !slices.Equal(d.Labels, labels) || len(d.Stages) != 0 || d.Contract != Contract {
		t.Errorf("description %+v", d)
	}
	digest := sha256.New()
	for i := range 2 {
		data, err := os.ReadFile(dataFile(filepath.Join(dir, "variables", "variables"), i, 2))
		if err != nil {
			t.Fatal(err)
		}
		digest.Write(data)
	}
	if got, want := d.Weights.VariablesSHA256, hex.EncodeToString(digest.Sum(nil)); got != want {
		t.Errorf("it says its variables are %s, they are %s", got, want)
	}
	var names []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	})
	want := []string{sealFile, "assets.extra/tftl.json", "saved_model.pb", "variables/variables.data-00000-of-00002", "variables/variables.data-00001-of-00002", "variables/variables.index"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("files %v, %v, want %v", names, err, want)
	}
}

func TestExportFails(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "tiny"))
	dir := t.TempDir()
	if err := m.Export(t.Context(), filepath.Join(dir, "none"), dir, []string{"a", "b"}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no checkpoint: %v", err)
	}
	plain := load(t, filepath.Join(fixtures, "keras-softmax"))
	if err := plain.Export(t.Context(), "ckpt", dir, nil); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("a model without the contract: %v", err)
	}
}

func TestPredictIsSafeForConcurrentUse(t *testing.T) {
	images := noise(4, 2)
	dir, _ := train(t, "head", []string{"blue", "red"}, images)
	p := predictor(t, load(t, dir), Plain{})
	want, err := p.Predict(t.Context(), images)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				got, err := p.Predict(t.Context(), images)
				if err != nil || len(got) != len(want) || !slices.Equal(got[3].Logits, want[3].Logits) {
					t.Errorf("other predictions, or %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// flat returns a batch of pictures of one colour each.
func flat(colours ...[3]float32) pipeline.Batch {
	b := pipeline.Batch{Shape: []int64{int64(len(colours)), 32, 32, 3}}
	for _, c := range colours {
		b.Samples = append(b.Samples, pipeline.Sample{})
		for range 32 * 32 {
			b.Data = append(b.Data, c[:]...)
		}
	}
	return b
}

func TestPlainModels(t *testing.T) {
	softmax, sigmoid := load(t, filepath.Join(fixtures, "keras-softmax")), load(t, filepath.Join(fixtures, "keras-sigmoid"))
	images := flat([3]float32{255, 0, 0}, [3]float32{0, 255, 0}, [3]float32{0, 0, 255}, [3]float32{51, 51, 51})
	given := slices.Clone(images.Data)

	// The fixture's logits are ten times the colours from 0 to 1.
	e := float32(4.5397868e-05) // exp(-10)
	some := 1 / (1 + 2*e)
	p := predictor(t, softmax, Plain{Output: "probabilities", Rescale: 1.0 / 255, Labels: []string{"r", "g", "b"}})
	got, err := p.Predict(t.Context(), images)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{{some, e, e}, {e, some, e}, {e, e, some}, {1. / 3, 1. / 3, 1. / 3}} {
		if !near(got[i].Probabilities, want) || got[i].Logits != nil {
			t.Errorf("image %d: %v, logits %v, want %v", i, got[i].Probabilities, got[i].Logits, want)
		}
	}
	if !slices.Equal(images.Data, given) {
		t.Error("the pixels that were given are others now")
	}

	// Its logit is 20 times red, minus 10.
	p = predictor(t, sigmoid, Plain{Output: "probabilities", Rescale: 1.0 / 255, Labels: []string{"other", "red"}})
	if got, err = p.Predict(t.Context(), images); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{{e, 1 - e}, {1 - e, e}, {1 - e, e}, {0.99752738, 0.00247262}} {
		if !near(got[i].Probabilities, want) {
			t.Errorf("image %d: %v, want %v", i, got[i].Probabilities, want)
		}
	}

	// Read as logits, each value is a logit, and the sigmoid's has a zero beside it.
	p = predictor(t, sigmoid, Plain{Output: "logits", Rescale: 1.0 / 255, Labels: []string{"other", "red"}})
	if got, err = p.Predict(t.Context(), images); err != nil {
		t.Fatal(err)
	}
	if !near(got[0].Logits, []float32{0, 1 - e}) || !near(got[0].Probabilities, pipeline.Softmax(got[0].Logits)) {
		t.Errorf("as logits: %+v", got[0])
	}

	for labels, m := range map[string]*Model{"a b": softmax, "a b c d": softmax, "a b c": sigmoid} {
		_, err := m.Predictor(Plain{Output: "probabilities", Labels: strings.Fields(labels)})
		if pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), ", but there are ") {
			t.Errorf("%s for another number of classes: %v", labels, err)
		}
	}
}

func TestWhatAPredictorMustBeTold(t *testing.T) {
	two := []string{"a", "b"}
	plain := load(t, filepath.Join(fixtures, "keras-softmax"))
	trained, _ := train(t, "head", two, noise(4, 2))
	for name, test := range map[string]struct {
		m     *Model
		plain Plain
		kind  pipeline.Kind
		want  string
	}{
		"nothing":           {plain, Plain{}, pipeline.BadModel, "to describe its output"},
		"labels alone":      {plain, Plain{Labels: two}, pipeline.BadModel, "to describe its output"},
		"no labels":         {plain, Plain{Output: "logits"}, pipeline.BadUsage, "labels FILE"},
		"one label":         {plain, Plain{Output: "logits", Labels: two[:1]}, pipeline.BadUsage, "labels FILE"},
		"another output":    {plain, Plain{Output: "softmax", Labels: two}, pipeline.BadUsage, "probabilities or logits"},
		"no images":         {load(t, filepath.Join(fixtures, "keras-vector")), Plain{Output: "logits", Labels: two}, pipeline.BadModel, "not float32 images"},
		"untrained":         {load(t, filepath.Join(fixtures, "tiny")), Plain{}, pipeline.BadModel, "is not trained"},
		"told all the same": {load(t, trained), Plain{Output: "logits"}, pipeline.BadUsage, "describes its own"},
	} {
		_, err := test.m.Predictor(test.plain)
		if pipeline.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q of kind %d", name, err, test.want, test.kind)
		}
	}
}

func TestPlainSignatures(t *testing.T) {
	image := []Tensor{{"x", "float32", []int64{-1, 32, 32, 3}}}
	classes := []Tensor{{"y", "float32", []int64{-1, 2}}}
	with := func(dtype string, shape ...int64) []Tensor { return []Tensor{{"x", dtype, shape}} }
	for name, test := range map[string]struct {
		have []Signature
		want string // empty if it is valid
	}{
		"the usual one":    {[]Signature{{"serving_default", image, classes}}, ""},
		"of two":           {[]Signature{{"other", nil, nil}, {"serving_default", image, classes}}, ""},
		"another's name":   {[]Signature{{"serve", image, classes}}, ""},
		"unknown classes":  {[]Signature{{"serve", image, with("float32", -1, -1)}}, ""},
		"none":             {nil, `signature "serving_default" is missing`},
		"two, not it":      {[]Signature{{"a", image, classes}, {"b", image, classes}}, `signature "serving_default" is missing`},
		"two inputs":       {[]Signature{{"a", append(image, image...), classes}}, "has 2 inputs and 1 outputs"},
		"bytes":            {[]Signature{{"a", with("string", -1), classes}}, "takes x string[?], not float32 images"},
		"uint8":            {[]Signature{{"a", with("uint8", -1, 32, 32, 3), classes}}, "not float32 images"},
		"grey":             {[]Signature{{"a", with("float32", -1, 32, 32, 1), classes}}, "not float32 images"},
		"one at a time":    {[]Signature{{"a", with("float32", 1, 32, 32, 3), classes}}, "takes x float32[1,32,32,3], not float32 images"},
		"a map of classes": {[]Signature{{"a", image, with("float32", -1, 8, 8, 2)}}, "not float32 [?,classes]"},
		"any size":         {[]Signature{{"a", with("float32", -1, -1, -1, 3), classes}}, "does not declare the size of its images"},
		"any rank":         {[]Signature{{"a", []Tensor{{"x", "float32", nil}}, classes}}, "does not declare the size of its images"},
	} {
		p := &Predictor{signature: "serving_default"}
		err := p.plain("model", test.have, Plain{Output: "logits", Labels: []string{"a", "b"}})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}
