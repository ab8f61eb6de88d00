package novelty_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/novelty"
)

// reference is a case of testdata/reference.json, which scikit-learn computed.
type reference struct {
	Classes, Positions, Width int
	Train, Validation, Others [][]float32
	Labels                    []int
	Distances                 [2][]float64 // of validation images and others
	Limit, ROCAUC, FPR95      float64
}

func TestDistancesAreThoseOfScikitLearn(t *testing.T) {
	data, err := os.ReadFile("testdata/reference.json")
	var cases []reference
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil || len(cases) == 0 {
		t.Fatal(err)
	}
	for i, c := range cases {
		classes := novelty.NewClasses(c.Classes, c.Positions, c.Width)
		for k, inputs := range c.Train {
			if err := classes.Add(inputs, c.Labels[k]); err != nil {
				t.Fatal(err)
			}
		}
		space, err := classes.Space()
		if err != nil {
			t.Fatal(err)
		}
		var distances []float64
		for p, part := range [][][]float32{c.Validation, c.Others} {
			for k, inputs := range part {
				got := space.Distance(inputs)
				if want := c.Distances[p][k]; math.Abs(got-want) > 1e-6 {
					t.Errorf("case %d: distance %v, scikit-learn's is %v", i, got, want)
				}
				if p == 0 {
					distances = append(distances, got)
				}
			}
		}
		if space.Limit, err = novelty.Limit(distances, 0.9); err != nil || math.Abs(float64(space.Limit)-c.Limit) > 1e-6 {
			t.Errorf("case %d: limit %v, %v, want %v", i, space.Limit, err, c.Limit)
		}
		familiar := 0
		for _, inputs := range c.Validation {
			if space.Score(inputs) <= 1 {
				familiar++
			}
		}
		if familiar != 24 { // the image that decides is among them
			t.Errorf("case %d: %d of 25 are familiar, want 24", i, familiar)
		}
	}
}

func TestLimitAtTheEdges(t *testing.T) {
	for name, c := range map[string]struct {
		n     int
		share float64
		want  float32
		fault string
	}{
		"as few as possible": {19, 0.95, 19, ""},
		"too few":            {18, 0.95, 0, "18 images of the validation part are too few: it takes at least 19"},
		"none":               {0, 0.95, 0, "0 images of the validation part are too few"},
		"in between":         {100, 0.9, 91, ""},
		"few of them":        {100, 0.001, 1, ""},
	} {
		var distances []float64
		for i := range c.n {
			distances = append(distances, float64(c.n-i)/100)
		}
		got, err := novelty.Limit(distances, c.share)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: error %v, want %q", name, err, c.fault)
		}
		if math.Abs(float64(got-c.want/100)) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, got, c.want/100)
		}
	}
	if got, err := novelty.Limit(make([]float64, 30), 0.9); err != nil || !(got > 0) {
		t.Errorf("images that equal the training images have the limit %v, %v", got, err)
	}
}

func TestFeaturesAtTheEdges(t *testing.T) {
	classes := novelty.NewClasses(3, 1, 2)
	for _, err := range []error{classes.Add([]float32{3, 4}, 0), classes.Add([]float32{0, 0}, 1)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	space, err := classes.Space()
	if err != nil || len(space.Centers) != 2 {
		t.Fatalf("one of three classes has a direction: %v, %v", space, err)
	}
	space.Limit = 0.1
	if s := space.Score([]float32{6, 8}); s > 1e-6 {
		t.Errorf("the same direction has the novelty %v", s)
	}
	if s := space.Score([]float32{0, 0}); !(s > 1) || math.IsInf(float64(s), 0) {
		t.Errorf("an image without features has the novelty %v", s)
	}
	if err := classes.Add([]float32{1, 2, 3}, 0); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("another width: %v", err)
	}
	if err := classes.Add([]float32{1, float32(math.NaN())}, 0); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("NaN: %v", err)
	}
	if _, err := novelty.NewClasses(2, 1, 2).Space(); pipeline.KindOf(err) != pipeline.BadData {
		t.Errorf("no images: %v", err)
	}
}
