package audit

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"tftl/pipeline"
)

// reference is testdata/cleanlab.json, which testdata/cleanlab.py writes.
type reference struct {
	Labels   []labelCase
	Features []featureCase
}

type labelCase struct {
	Seed            uint64
	Images, Classes int
	Noise, Strength float64
	Rare            bool
	Thresholds      []float64
	Joint           [][3]int // row, column and value of what is not 0
	Calibrated      [][3]int
	Wrong           float64
	Issues          []int
	Quality         []float64 // of the issues
}

type featureCase struct {
	Seed          uint64
	Images, Width int
	Scores        []float64
	Near          [][]int32
}

func readReference(t *testing.T) (r reference) {
	t.Helper()
	data, err := os.ReadFile("testdata/cleanlab.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// splitMix is SplitMix64, as in cleanlab.py.
type splitMix uint64

func (d *splitMix) next() uint64 {
	*d += 0x9E3779B97F4A7C15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func (d *splitMix) uniform() float64 { return float64(d.next()>>11) / (1 << 53) }

// fraction is one of which probabilities are multiples.
const fraction = 1 << 20

// predictions makes the same ones as problem in cleanlab.py.
func (c labelCase) predictions() []pipeline.Prediction {
	d, n := splitMix(c.Seed), uint64(c.Classes)
	made := make([]pipeline.Prediction, c.Images)
	lone := false
	for i := range made {
		likely := int(d.next() % n)
		given := likely
		flipped, other := d.uniform() < c.Noise, int(d.next()%n)
		if flipped {
			given = other
		}
		if c.Rare && (given == c.Classes-1 || given == c.Classes-2 && lone) {
			given = 0
		}
		lone = lone || given == c.Classes-2
		weights := make([]float64, c.Classes)
		for j := range weights {
			u := d.uniform()
			weights[j] = u * u * u * u
		}
		weights[likely] += float64(c.Strength * d.uniform()) // never fused with the sum
		var sum float64
		for _, w := range weights {
			sum += w
		}
		made[i] = pipeline.Prediction{
			Sample:        pipeline.Sample{ID: strconv.Itoa(i), Label: given},
			Probabilities: make([]float32, c.Classes),
		}
		for j, w := range weights {
			made[i].Probabilities[j] = float32(math.Floor(w/sum*fraction) / fraction)
		}
	}
	return made
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "class " + strconv.Itoa(i)
	}
	return names
}

func TestTheSameLabelErrorsAsCleanlab(t *testing.T) {
	cases := readReference(t).Labels
	if len(cases) < 20 {
		t.Fatalf("%d cases", len(cases))
	}
	found, whole := 0, 0
	for _, c := range cases {
		predictions := c.predictions()
		l, err := collect(predictions, c.Classes)
		if err != nil {
			t.Fatal(err)
		}
		for class, got := range l.thresholds() {
			if math.Abs(got-c.Thresholds[class]) > 1e-12 {
				t.Errorf("seed %d: threshold of class %d: %v, want %v", c.Seed, class, got, c.Thresholds[class])
			}
		}
		joint := l.joint()
		if got := entries(joint); !slices.Equal(got, c.Joint) {
			t.Errorf("seed %d: joint %v, want %v", c.Seed, got, c.Joint)
		}
		judged, err := JudgeLabels(predictions, numbered(c.Classes), 1)
		if err != nil {
			t.Fatal(err)
		}
		// Both round so that rows keep their sums. Between entries that lose as much by
		// rounding, cleanlab's choice depends on the sort of numpy.
		theirs, counts := c.matrix(), l.counts()
		for i, row := range judged.Joint {
			sum := 0
			for j, got := range row {
				if math.Abs(float64(got-theirs[i][j])) > 1 {
					t.Errorf("seed %d: calibrated joint, %d and %d: %d, want %d", c.Seed, i, j, got, theirs[i][j])
				}
				sum += got
			}
			if sum != counts[i] {
				t.Errorf("seed %d: row %d of the joint has %d images, want %d", c.Seed, i, sum, counts[i])
			}
		}
		if math.Abs(judged.Errors.Value-c.Wrong) > 1e-6 {
			t.Errorf("seed %d: %v labels wrong, want %v", c.Seed, judged.Errors.Value, c.Wrong)
		}
		found += len(c.Issues)
		if got := l.prune(theirs); !sameImages(got, c.Issues) {
			t.Errorf("seed %d, rare %v: finds %v, want %v", c.Seed, c.Rare, got, c.Issues)
		}
		if !slices.Equal(entries(judged.Joint), c.Calibrated) {
			continue // rounded otherwise
		}
		whole++
		if len(judged.Findings) != len(c.Issues) {
			t.Errorf("seed %d, rare %v: %d findings, want %d", c.Seed, c.Rare, len(judged.Findings), len(c.Issues))
			continue
		}
		for i, f := range judged.Findings { // in the same order; images with equal scores may be swapped
			if math.Abs(1-f.Score-c.Quality[i]) > 1e-6 {
				t.Errorf("seed %d: finding %d: score %v, want %v", c.Seed, i, f.Score, 1-c.Quality[i])
			}
		}
	}
	if found < 1000 || whole < 10 {
		t.Errorf("only %d errors to find in all cases, of which %d are compared as a whole", found, whole)
	}
}

func (c labelCase) matrix() [][]int {
	m := make([][]int, c.Classes)
	for i := range m {
		m[i] = make([]int, c.Classes)
	}
	for _, e := range c.Calibrated {
		m[e[0]][e[1]] = e[2]
	}
	return m
}

func entries(joint [][]int) (list [][3]int) {
	for i, row := range joint {
		for j, n := range row {
			if n != 0 {
				list = append(list, [3]int{i, j, n})
			}
		}
	}
	return list
}

func sameImages(got, want []int) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

func TestTheSameOutlierScoresAsCleanlab(t *testing.T) {
	for _, c := range readReference(t).Features {
		d := splitMix(c.Seed)
		v := Vectors{make([]float32, c.Images*c.Width), c.Width}
		for i := range v.Values {
			v.Values[i] = float32(math.Floor(d.uniform()*fraction) / fraction)
		}
		near, err := Neighbours(t.Context(), v, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.Near {
			if got, _ := near.Of(i); !slices.Equal(got, want) {
				t.Errorf("seed %d: neighbours of %d: %v, want %v", c.Seed, i, got, want)
			}
		}
		// cleanlab's score is 1 for an inlier, and relative to the median.
		distances := near.mean()
		middle := quantile(slices.Sorted(slices.Values(distances)), 0.5)
		for i, want := range c.Scores {
			if got := math.Exp(-distances[i] / middle); math.Abs(got-want) > 1e-5 {
				t.Errorf("seed %d: score of %d: %v, want %v", c.Seed, i, got, want)
			}
		}
	}
}
