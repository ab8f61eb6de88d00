package savedmodels

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"tftl/pipeline"
)

// A model that was damaged, whatever happened to its files, is refused, or answers as
// before to the bit. TFTL_MUTATIONS sets the number of trials.
func TestADamagedModelIsRefused(t *testing.T) {
	trials := 30
	if n, err := strconv.Atoi(os.Getenv("TFTL_MUTATIONS")); err == nil {
		trials = n
	}
	images := noise(3, 2)
	whole, _ := train(t, "head", []string{"blue", "red"}, images)
	other, _ := train(t, "block2", []string{"blue", "red"}, noise(5, 2))
	want, err := answers(t, whole, images)
	if err != nil {
		t.Fatal(err)
	}
	files, err := sealed(whole)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, sealFile)
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for trial := range trials {
		dir := filepath.Join(t.TempDir(), "model")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		file := files[random.IntN(len(files))]
		how := damage(t, random, filepath.Join(dir, file), filepath.Join(other, file))
		got, err := answers(t, dir, images)
		switch {
		case err != nil && pipeline.KindOf(err) != pipeline.BadModel:
			t.Errorf("trial %d, %s %s: %v", trial, file, how, err)
		case err != nil:
			refused++
		case !slices.Equal(got, want):
			t.Errorf("trial %d, %s %s: it answers %v, not %v", trial, file, how, got, want)
		}
	}
	t.Logf("%d of %d were refused", refused, trials)
	if refused < trials/2 {
		t.Errorf("only %d of %d were refused", refused, trials)
	}
}

// damage changes a file, or puts another model's in its place.
func damage(t *testing.T, random *rand.Rand, path, other string) (how string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch at := random.IntN(len(data)); random.IntN(6) {
	case 0:
		how, data[at] = "has another bit", data[at]^1<<random.IntN(8)
	case 1:
		how, data = "is cut off", data[:at]
	case 2:
		how, data = "goes on", append(data, data[at:]...)
	case 3:
		how = "has zeros"
		clear(data[at:])
	case 4:
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return "is missing"
	case 5:
		how = "is another model's"
		if data, err = os.ReadFile(other); err != nil {
			data = nil // it has no such file
		}
	}
	write(t, path, string(data))
	return how
}

// answers are a model's probabilities.
func answers(t *testing.T, dir string, images pipeline.Batch) (probabilities []float32, err error) {
	m, err := Load(dir, resolve(t))
	if err != nil {
		return nil, err
	}
	p, err := m.Predictor(Plain{})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	predictions, err := p.Predict(t.Context(), images)
	for _, prediction := range predictions {
		probabilities = append(probabilities, prediction.Probabilities...)
	}
	return probabilities, err
}
