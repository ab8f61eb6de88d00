package schedule

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"tftl/pipeline"
)

func TestSettings(t *testing.T) {
	standard := pipeline.Setting{LearningRate: 1e-3, L2: 0.5, Dropout: 0.2, Units: []int{256, 128}}
	all := Settings(standard, Searched(), 300, 7)
	if !reflect.DeepEqual(all[0], standard) {
		t.Errorf("the first setting is %+v, not the default", all[0])
	}
	if few := Settings(standard, Searched(), 20, 7); !reflect.DeepEqual(few, all[:20]) {
		t.Error("the first settings depend on how many there are")
	}
	if reflect.DeepEqual(Settings(standard, Searched(), 20, 8), all[:20]) {
		t.Error("another seed gives the same settings")
	}
	widths, without, undropped := map[int]int{}, 0, 0
	for _, s := range all[1:] {
		if s.LearningRate < 3.3e-5 || s.LearningRate > 3e-2 || s.L2 != 0 && (s.L2 < 1e-5 || s.L2 > 1e-2) || s.Dropout < 0 || s.Dropout > 0.7 {
			t.Errorf("%+v is out of range", s)
		}
		if s.Units[0] != s.Units[1] {
			t.Errorf("%v: the layers have different widths", s.Units)
		}
		widths[s.Units[0]]++
		if s.L2 == 0 {
			without++
		}
		if s.Dropout == 0 {
			undropped++
		}
	}
	for _, width := range []int{32, 64, 128, 256, 512, 1024} {
		if n := widths[width]; n < 30 || len(widths) != 6 {
			t.Errorf("%d of 299 settings have the width %d; all are %v", n, width, widths)
		}
	}
	if without < 60 || without > 90 || undropped < 60 || undropped > 90 {
		t.Errorf("of 299 settings, %d have no L2 and %d no dropout", without, undropped)
	}
}

// A sequence of low discrepancy has as many values below a bound as its share, for
// each hyperparameter.
func TestSettingsAreEven(t *testing.T) {
	rates := Settings(pipeline.Setting{LearningRate: 1}, Searched(), 65, 3)[1:]
	for _, bound := range []float64{1. / 15, 1. / 5, 1, 5, 15} {
		below := 0
		for _, s := range rates {
			if s.LearningRate < bound {
				below++
			}
		}
		if want := 64 * (math.Log(bound)/math.Log(30) + 1) / 2; math.Abs(float64(below)-want) > 4 {
			t.Errorf("%d of 64 rates are below %g, want about %.0f", below, bound, want)
		}
	}
}

func TestOnlyWhatIsSearchedVaries(t *testing.T) {
	standard := pipeline.Setting{LearningRate: 1e-3, L2: 0.5, Dropout: 0.2, Units: []int{256}}
	for _, s := range Settings(standard, []pipeline.Option{"dropout"}, 20, 1)[1:] {
		if s.LearningRate != 1e-3 || s.L2 != 0.5 || !slices.Equal(s.Units, []int{256}) {
			t.Errorf("%+v varies more than dropout", s)
		}
	}
	for _, s := range Settings(pipeline.Setting{LearningRate: 1}, Searched(), 20, 1) {
		if len(s.Units) != 0 {
			t.Errorf("%+v: a head without hidden layers got one", s)
		}
	}
}

func TestRungs(t *testing.T) {
	for _, test := range []struct {
		name                string
		n, epochs, perEpoch int
		want                []Rung
	}{
		{"fifty", 50, 10, 100, []Rung{{50, 1, 37}, {16, 1, 0}, {5, 3, 0}, {2, 10, 0}}},
		{"long", 50, 54, 100, []Rung{{50, 2, 0}, {16, 6, 0}, {5, 18, 0}, {2, 54, 0}}},
		{"more settings, no shorter rung", 200, 27, 9, []Rung{{200, 1, 0}, {66, 3, 0}, {22, 9, 0}, {2, 27, 0}}},
		{"ten", 10, 9, 9, []Rung{{10, 1, 0}, {3, 3, 0}, {2, 9, 0}}},
		{"five", 5, 9, 9, []Rung{{5, 3, 0}, {2, 9, 0}}},
		{"two", 2, 9, 9, []Rung{{2, 9, 0}}},
		{"rungs of one step are one rung", 50, 3, 2, []Rung{{50, 1, 1}, {5, 1, 0}, {2, 3, 0}}},
	} {
		if got := Rungs(test.n, test.epochs, test.perEpoch); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// Fifty settings take fewer steps than ten trainings, the run's own included.
func TestFiftySettingsCostLessThanTenTrainings(t *testing.T) {
	for _, epochs := range []int{3, 5, 10, 20, 27, 50, 100} {
		for _, perEpoch := range []int{9, 22, 100, 1000} {
			steps := epochs * perEpoch // of the run
			for i, r := range Rungs(50, epochs, perEpoch) {
				n := r.Settings
				if i == 3 {
					n++ // the default
				}
				steps += n * r.Steps(perEpoch)
			}
			if steps >= 10*epochs*perEpoch {
				t.Errorf("%d epochs of %d steps: %d steps, ten trainings have %d", epochs, perEpoch, steps, 10*epochs*perEpoch)
			}
		}
	}
}
