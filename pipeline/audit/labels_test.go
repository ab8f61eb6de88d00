package audit

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tftl/pipeline"
)

// predicted makes predictions from labels and rows of probabilities.
func predicted(labels []int, rows ...[]float32) []pipeline.Prediction {
	made := make([]pipeline.Prediction, len(labels))
	for i, label := range labels {
		made[i] = pipeline.Prediction{Sample: pipeline.Sample{ID: strconv.Itoa(i), Label: label}, Probabilities: rows[i]}
	}
	return made
}

// flipped makes predictions of a good model for labels of which some are flipped, and
// says which.
func flipped(images, classes int, rate float64, seed uint64) (made []pipeline.Prediction, wrong map[string]bool) {
	random, wrong := rand.New(rand.NewPCG(seed, 0)), map[string]bool{}
	for i := range images {
		row := make([]float32, classes)
		right := random.IntN(classes)
		sure := 0.5 + 0.5*random.Float32()
		for c := range row {
			row[c] = (1 - sure) / float32(classes-1)
		}
		row[right] = sure
		p := pipeline.Prediction{Sample: pipeline.Sample{ID: strconv.Itoa(i), Label: right}, Probabilities: row}
		if random.Float64() < rate {
			p.Sample.Label = (right + 1 + random.IntN(classes-1)) % classes
			wrong[p.Sample.ID] = true
		}
		made = append(made, p)
	}
	return made, wrong
}

func TestFlippedLabelsAreFound(t *testing.T) {
	for _, classes := range []int{2, 5, 100} {
		made, wrong := flipped(20000, classes, 0.05, 1)
		judged, err := JudgeLabels(made, numbered(classes), 1)
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for _, f := range judged.Findings {
			if f.Kind != LabelError || f.Label == f.Suggested || f.Score < 0 || f.Score > 1 {
				t.Fatalf("finding %+v", f)
			}
			if wrong[f.Image] {
				right++
			}
		}
		if n := len(judged.Findings); right < n*99/100 || right < len(wrong)/2 {
			t.Errorf("%d classes: %d of %d findings are flipped labels, of %d", classes, right, n, len(wrong))
		}
		if e := judged.Errors; !(e.Low <= float64(len(wrong)) && float64(len(wrong)) <= e.High) {
			t.Errorf("%d classes: %d labels are wrong, estimated are %+v", classes, len(wrong), e)
		}
		again, err := JudgeLabels(made, numbered(classes), 1)
		if err != nil || !reflect.DeepEqual(again, judged) {
			t.Errorf("%d classes: another result the second time, error %v", classes, err)
		}
	}
}

func TestAFindingSaysWhatSuitsBetter(t *testing.T) {
	made := predicted([]int{0, 0, 0, 1, 1, 1},
		[]float32{0.9, 0.1}, []float32{0.8, 0.2}, []float32{0.02, 0.98},
		[]float32{0.1, 0.9}, []float32{0.2, 0.8}, []float32{0.1, 0.9})
	judged, err := JudgeLabels(made, []string{"cat", "dog"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(judged.Findings) != 1 {
		t.Fatalf("findings %+v", judged.Findings)
	}
	f := judged.Findings[0]
	if f.Image != "2" || f.Label != "cat" || f.Suggested != "dog" || f.Detail != "class cat: 0.02, class dog: 0.98" || math.Abs(f.Score-0.98) > 1e-6 {
		t.Errorf("finding %+v", f)
	}
	if want := []Pair{{"cat", "dog", 1}}; !slices.Equal(judged.Confused, want) {
		t.Errorf("confused %v, want %v", judged.Confused, want)
	}
}

func TestClassesThatAreConfusedMostComeFirst(t *testing.T) {
	labels, rows := []int{}, [][]float32{}
	add := func(n, given int, row ...float32) {
		for range n {
			labels, rows = append(labels, given), append(rows, row)
		}
	}
	add(20, 0, 0.9, 0.1, 0)
	add(20, 1, 0, 0.9, 0.1)
	add(20, 2, 0, 0.1, 0.9)
	add(2, 0, 0.1, 0.9, 0)
	add(5, 2, 0, 0.95, 0.05)
	judged, err := JudgeLabels(predicted(labels, rows...), []string{"elm", "oak", "ash"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Pair{{"ash", "oak", 5}, {"elm", "oak", 2}}; !slices.Equal(judged.Confused, want) {
		t.Errorf("confused %v, want %v", judged.Confused, want)
	}
	if got := judged.Findings[0]; len(judged.Findings) != 7 || got.Label != "ash" {
		t.Errorf("%d findings, first %+v", len(judged.Findings), got)
	}
}

func TestLabelsThatAreHardToJudge(t *testing.T) {
	tests := map[string]struct {
		labels  []int
		rows    [][]float32
		classes int
		found   int
	}{
		"no images":                 {classes: 2},
		"no classes":                {},
		"one class":                 {[]int{0, 0}, [][]float32{{1}, {1}}, 1, 0},
		"one image":                 {[]int{0}, [][]float32{{0.1, 0.9}}, 2, 0},
		"all equal":                 {[]int{0, 1, 1}, [][]float32{{0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}}, 2, 0},
		"all zero":                  {[]int{0, 1, 1}, [][]float32{{0, 0}, {0, 0}, {0, 0}}, 2, 0},
		"a class without images":    {[]int{0, 0, 0}, [][]float32{{0.9, 0.1}, {0.9, 0.1}, {0, 1}}, 2, 0},
		"one image, sure of others": {[]int{0, 0, 1}, [][]float32{{1, 0}, {1, 0}, {1, 0}}, 2, 1},
	}
	for name, test := range tests {
		judged, err := JudgeLabels(predicted(test.labels, test.rows...), numbered(test.classes), 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(judged.Findings) != test.found {
			t.Errorf("%s: findings %+v, want %d", name, judged.Findings, test.found)
		}
		if e := judged.Errors; !(0 <= e.Low && e.Low <= e.Value && e.Value <= e.High && e.High <= float64(len(test.labels))) {
			t.Errorf("%s: estimate %+v", name, e)
		}
	}
}

func TestPredictionsThatCannotBeJudged(t *testing.T) {
	nan := float32(math.NaN())
	for want, made := range map[string][]pipeline.Prediction{
		"image 0: has no class":                        predicted([]int{-1}, []float32{1, 0}),
		"image 0: has 3 probabilities for 2 classes":   predicted([]int{0}, []float32{1, 0, 0}),
		"image 1: a probability is NaN":                predicted([]int{0, 1}, []float32{1, 0}, []float32{nan, 0}),
		"image 0: a probability is 2":                  predicted([]int{0}, []float32{2, 0}),
		"image 0: a probability is -0.5":               predicted([]int{0}, []float32{-0.5, 1}),
		"image 0: has no class, so its label cannot b": predicted([]int{2}, []float32{1, 0}),
	} {
		_, err := JudgeLabels(made, []string{"cat", "dog"}, 1)
		if err == nil || !strings.HasPrefix(err.Error(), want) || pipeline.KindOf(err) == pipeline.Other {
			t.Errorf("error %v, want %q with a kind", err, want)
		}
	}
}

// The interval must hold what the same estimate is for the data sets that this one is
// a sample of.
func TestTheIntervalIsAboutTheSample(t *testing.T) {
	const rate, sets = 0.05, 40
	for _, images := range []int{100, 400} {
		large, _ := flipped(20000, 3, rate, 1000)
		whole, err := JudgeLabels(large, numbered(3), 1)
		if err != nil {
			t.Fatal(err)
		}
		expected, held := whole.Errors.Value/20000, 0
		for seed := range uint64(sets) {
			made, _ := flipped(images, 3, rate, seed)
			judged, err := JudgeLabels(made, numbered(3), seed)
			if err != nil {
				t.Fatal(err)
			}
			if e := judged.Errors; e.Low/float64(images) <= expected && expected <= e.High/float64(images) {
				held++
			}
		}
		if held < sets*90/100 {
			t.Errorf("%d images: %d of %d intervals hold the expected share", images, held, sets)
		}
	}
}

func TestASetWithoutErrorsMayStillHaveSome(t *testing.T) {
	made, _ := flipped(100, 2, 0, 1)
	judged, err := JudgeLabels(made, numbered(2), 1)
	if err != nil {
		t.Fatal(err)
	}
	if e := judged.Errors; e.Value != 0 || e.Low != 0 || e.High < 3 || e.High > 5 {
		t.Errorf("estimate %+v, want up to 3.7 as Wilson's interval", e)
	}
}
