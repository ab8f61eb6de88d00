package savedmodels

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"tftl/pipeline"
)

// withHead exports a model with a head of its own into a new folder.
func withHead(t *testing.T, fixture string) string {
	t.Helper()
	m := load(t, filepath.Join(fixtures, fixture))
	s := openStage(t, m, "head", 3)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	if err := s.Save(t.Context(), checkpoint); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Export(t.Context(), checkpoint, dir, []string{"a", "b", "c"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The served graph gives the score that pipeline.Novelty defines, whatever the pooling,
// and a model that judges nothing any more is the exported one, to the bit.
func TestServedNovelty(t *testing.T) {
	for _, fixture := range []string{"tiny", "tiny-gap", "tiny-two"} {
		t.Run(fixture, func(t *testing.T) {
			dir := withHead(t, fixture)
			file := filepath.Join(dir, "saved_model.pb")
			exported, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			digest, err := Digest(dir)
			if err != nil {
				t.Fatal(err)
			}
			served, err := load(t, dir).Novelty()
			if err != nil || served == nil || len(served.Centers) > 0 {
				t.Fatalf("an export judges by %+v, %v", served, err)
			}
			for i := range 3 * served.Width {
				served.Centers = append(served.Centers, float32(math.Sin(float64(i+1))))
			}
			served.Limit = 0.3
			if _, err := Accept(dir, Accepting{Familiar: true, Novelty: served}); err != nil {
				t.Fatal(err)
			}
			if _, err := Accept(dir, Accepting{Familiar: true, Confidence: 0.1}); err != nil { // which keeps it
				t.Fatal(err)
			}
			m := load(t, dir) // its seal covers it
			back, err := m.Novelty()
			if err != nil || back.Limit != served.Limit || len(back.Centers) != len(served.Centers) || back.Positions != served.Positions {
				t.Fatalf("read back as %+v, %v", back, err)
			}
			images := noise(6, 3)
			s := openStage(t, load(t, filepath.Join(fixtures, fixture)), "head", 3)
			inputs, err := s.HeadInputs(t.Context(), features(t, s, images))
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Predictor(Plain{})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			predictions, err := p.Predict(t.Context(), images)
			if err != nil {
				t.Fatal(err)
			}
			width := len(inputs.Data) / 6
			for i, p := range predictions {
				want := served.Score(inputs.Data[i*width : (i+1)*width])
				if math.Abs(float64(p.Novelty-want)) > 1e-3*float64(want) {
					t.Errorf("image %d: the graph's novelty is %v, want %v", i, p.Novelty, want)
				}
			}
			if now, err := Digest(dir); err != nil || now != digest {
				t.Errorf("the model's digest has changed: %v", err)
			}
			if _, err := Accept(dir, Accepting{}); err != nil {
				t.Fatal(err)
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, exported) {
				t.Errorf("the graph is not the exported one again: %v", err)
			}
		})
	}
}

func TestNoveltyOfAnOlderExport(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "older"))
	if n, err := m.Novelty(); n != nil || err != nil {
		t.Errorf("got %+v, %v", n, err)
	}
	knows, err := Accept(m.Dir, Accepting{Familiar: true, Novelty: &pipeline.Novelty{Positions: 1, Width: 2, Centers: []float32{1, 0}, Limit: 1}})
	if knows || err != nil {
		t.Errorf("it has a place for novelty: %v, %v", knows, err)
	}
}
