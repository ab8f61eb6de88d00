package savedmodels

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// halves returns pictures of 32x32 with one colour on the left and one on the
// right.
func halves(colours ...[2][3]float32) pipeline.Batch {
	b := pipeline.Batch{Shape: []int64{int64(len(colours)), 32, 32, 3}}
	for _, c := range colours {
		b.Samples = append(b.Samples, pipeline.Sample{})
		for i := range 32 * 32 {
			half := c[i%32/16]
			b.Data = append(b.Data, half[:]...)
		}
	}
	return b
}

func TestHeatmapsAreWhereTheClassIs(t *testing.T) {
	blue, green, red := [3]float32{30, 30, 220}, [3]float32{30, 220, 30}, [3]float32{220, 30, 30}
	lesson := halves([2][3]float32{blue, blue}, [2][3]float32{green, green}, [2][3]float32{red, red})
	lesson.Targets, lesson.Weights = []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, []float32{1, 1, 1}
	m := load(t, filepath.Join(fixtures, "tiny-gap"))
	s := openStage(t, m, "head", 3)
	seen := features(t, s, lesson)
	for range 300 {
		step(t, s, seen)
	}
	p := predictor(t, load(t, exported(t, m, s, []string{"blue", "green", "red"})), Plain{})
	if !p.Explains() {
		t.Fatal("it says that it cannot explain")
	}
	images := halves([2][3]float32{red, blue}, [2][3]float32{blue, red}, [2][3]float32{red, blue}, [2][3]float32{blue, red})
	maps, err := p.Explain(t.Context(), images, []int{2, 2, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	if maps.Height != 2 || maps.Width != 2 || len(maps.Data) != 4*2*2 {
		t.Fatalf("heatmaps %+v", maps)
	}
	for i, left := range []bool{true, false, false, true} {
		m := maps.Data[i*4 : (i+1)*4]
		if slices.Max(m) != 1 || slices.Min(m) < 0 {
			t.Errorf("image %d: %v is not from 0 to 1", i, m)
		}
		if l, r := m[0]+m[2], m[1]+m[3]; (l > r) != left {
			t.Errorf("image %d: %v on the left, %v on the right", i, l, r)
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	images := noise(2, 2)
	dir, _ := train(t, "head", []string{"blue", "red"}, images)
	p := predictor(t, load(t, dir), Plain{})
	for _, classes := range [][]int{{0}, {0, 2}, {-1, 0}} {
		if _, err := p.Explain(t.Context(), images, classes); err == nil {
			t.Errorf("classes %v of two images and two classes pass", classes)
		}
	}
	plain := predictor(t, load(t, filepath.Join(fixtures, "keras-sigmoid")), Plain{Output: "probabilities", Labels: []string{"a", "b"}})
	if _, err := plain.Explain(t.Context(), images, []int{0, 0}); plain.Explains() || pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), `"explain" is missing`) {
		t.Errorf("a model without the signature: %v", err)
	}
}

// A model may lack the signature, but must not have a different one of that name.
func TestExplainIsOptional(t *testing.T) {
	m := load(t, copyModel(t, "tiny"))
	whole := signatures(metaGraph(m.saved, tagServe))
	at := slices.IndexFunc(whole, func(s Signature) bool { return s.Name == signatureExplain })
	if at < 0 {
		t.Fatalf("it has %v", whole)
	}
	if err := checkServing(whole, m.Description); err != nil {
		t.Error(err)
	}
	other := slices.Clone(whole)
	other[at].Inputs = []Tensor{other[at].Inputs[0], {"label", "int64", []int64{-1}}}
	if err := checkServing(other, m.Description); err == nil || !strings.Contains(err.Error(), `signature "explain": input is label int64[?]`) {
		t.Errorf("another dtype: %v", err)
	}
	if err := checkServing(slices.Delete(slices.Clone(whole), at, at+1), m.Description); err != nil {
		t.Error(err)
	}
}

// A stage explains its features, or the maps that they lose, as the trained model
// explains the images.
func TestAStageExplainsAsTheModelDoes(t *testing.T) {
	for _, tt := range []struct {
		model, stage string
		loses        bool
	}{
		{"tiny", "head", false},
		{"tiny", "block2", false},
		{"tiny-gap", "head", true},
		{"tiny-gap", "block2", false},
		{"normalized", "head", true}, // with constants
	} {
		t.Run(tt.model+" "+tt.stage, func(t *testing.T) {
			m := load(t, filepath.Join(fixtures, tt.model))
			s := openStage(t, m, tt.stage, 3)
			images, classes := noise(8, 3), []int{0, 1, 2, 0, 1, 2, 0, 1}
			e, ok := s.(pipeline.Explainer)
			if !ok || !e.Explains() || e.LosesMaps() != tt.loses {
				t.Fatalf("it does not explain, or from something else")
			}
			from := features(t, s, images)
			if tt.loses {
				both, maps, err := e.FeaturesAndMaps(t.Context(), images)
				if err != nil || !slices.Equal(both.Data, from.Data) {
					t.Fatalf("%v: features differ if the maps are asked for", err)
				}
				from = maps
			}
			got, err := e.Explain(t.Context(), from, classes)
			if err != nil {
				t.Fatal(err)
			}
			p := predictor(t, load(t, exported(t, m, s, []string{"a", "b", "c"})), Plain{})
			want, err := p.Explain(t.Context(), images, classes)
			if err != nil || got.Height != want.Height || got.Width != want.Width || !near(got.Data, want.Data) {
				t.Errorf("%v: %v, want %v", err, got, want)
			}
			if slices.Max(got.Data) == 0 {
				t.Error("nothing is explained")
			}
		})
	}
}
