package curve_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	numbers "tftl/pipeline/curve"
	"tftl/pipeline/dataset"
	"tftl/pipeline/workflow/curve"
)

// learner is a head that knows more the more images it has seen.
type learner struct {
	t         *testing.T
	images    pipeline.Encoded
	trained   [][]int // the images of each head
	seeds     []uint64
	validated []int
	diverges  func(seed uint64, images int) bool
	nan       bool // the loss of the last
	right     func(images int) float64
}

func (l *learner) Images() pipeline.Encoded { return l.images }

func (l *learner) Train(ctx context.Context, seed uint64, train, validation []int) (pipeline.Epoch, error) {
	if err := ctx.Err(); err != nil {
		return pipeline.Epoch{}, err
	}
	l.trained, l.seeds, l.validated = append(l.trained, slices.Clone(train)), append(l.seeds, seed), validation
	if l.diverges != nil && l.diverges(seed, len(train)) {
		return pipeline.Epoch{}, pipeline.Errorf(pipeline.Diverged, "the loss is NaN")
	}
	return pipeline.Epoch{Epoch: 4, Best: true}, nil
}

// Predict is right about a share of each class's images.
func (l *learner) Predict(_ context.Context, index []int) (list []pipeline.Prediction, err error) {
	share := l.right(len(l.trained[len(l.trained)-1]))
	for at, i := range index {
		sample := l.images.Sample(i)
		p, class := []float32{0.1, 0.1, 0.1}, sample.Label
		if float64(at*7919%len(index)) >= share*float64(len(index)) {
			class = (class + 1) % 3
		}
		p[class] = 0.8
		if l.nan {
			p[0] = float32(math.NaN())
		}
		list = append(list, pipeline.Prediction{Sample: sample, Probabilities: p})
	}
	return list, nil
}

// world is a data set of three classes, with a learner.
func world(t *testing.T, train, validation int) (*learner, *dataset.Set) {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	rows.WriteString("path,label,split\n")
	for part, n := range map[string]int{"train": train, "val": validation, "test": 6} {
		for i := range n {
			name := fmt.Sprintf("%s-%03d.jpg", part, i)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&rows, "%s,%c,%s\n", name, 'a'+i%3, part)
		}
	}
	manifest := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(manifest, []byte(rows.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(manifest, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := set.Part(pipeline.AllParts)
	if err != nil {
		t.Fatal(err)
	}
	return &learner{t: t, images: all, right: func(n int) float64 { return 1 - 1.5/math.Sqrt(float64(n)) }}, set
}

func options() curve.Options { return curve.Options{Seeds: 3, Seed: 5, Metric: numbers.Accuracy} }

// run is the curve of a learner, and the warnings.
func run(ctx context.Context, l *learner, set *dataset.Set, o curve.Options) (r numbers.Result, warnings []string, err error) {
	r, err = curve.Run(ctx, l, set, o, nil, func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) })
	return r, warnings, err
}

// Heads of a seed have nested images of the training part, and the test part is never
// touched.
func TestHeadsAreTrainedOnNestedParts(t *testing.T) {
	l, set := world(t, 120, 60)
	r, warnings, err := run(t.Context(), l, set, options())
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	sizes := numbers.Sizes(120, 3, numbers.DefaultSizes)
	if len(l.trained) != 3*len(sizes) || r.Training != 120 || r.Images != 60 || len(r.Heads) != len(l.trained) {
		t.Fatalf("%d heads, %d and %d images", len(l.trained), r.Training, r.Images)
	}
	for i, images := range l.trained {
		if want := sizes[i%len(sizes)]; len(images) != want || l.seeds[i] != uint64(5+i/len(sizes)) || r.Heads[i].Images != want {
			t.Errorf("head %d has %d images and seed %d", i, len(images), l.seeds[i])
		}
		for _, k := range images {
			if id := l.images.Sample(k).ID; !strings.HasPrefix(id, "train") {
				t.Fatalf("head %d was trained on %s", i, id)
			}
		}
		if i%len(sizes) > 0 {
			for _, k := range l.trained[i-1] {
				if !slices.Contains(images, k) {
					t.Fatalf("head %d lacks an image of the smaller one", i)
				}
			}
		}
	}
	if slices.Equal(l.trained[0], l.trained[len(sizes)]) {
		t.Error("two seeds have the same images")
	}
	for _, k := range l.validated {
		if id := l.images.Sample(k).ID; !strings.HasPrefix(id, "val") {
			t.Errorf("validated on %s", id)
		}
	}
	if r.Heads[0].Accuracy >= r.Now.Value || r.Verdict == numbers.Flat || math.Abs(r.Now.Value-(1-1.5/math.Sqrt(120))) > 0.03 {
		t.Errorf("%s: %.3f with few, %.3f with all", r.Verdict, r.Heads[0].Accuracy, r.Now.Value)
	}
}

func TestSizesThatAreGiven(t *testing.T) {
	l, set := world(t, 120, 60)
	o := options()
	o.Sizes = []int{80, 10, 20, 40, 120}
	r, _, err := run(t.Context(), l, set, o)
	if err != nil || r.Heads[0].Images != 10 || r.Heads[4].Images != 120 {
		t.Fatalf("%v: %v", r.Heads, err)
	}
	for _, sizes := range [][]int{{2, 10, 20, 40}, {10, 20, 40, 121}, {10, 20, 40, 120}, {-1, 10, 20, 40}, make([]int, 21)} {
		o.Sizes = sizes
		if _, _, err := run(t.Context(), l, set, o); pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%v: %v", sizes, err)
		}
	}
}

func TestTooFewImages(t *testing.T) {
	l, set := world(t, 9, 60)
	if _, _, err := run(t.Context(), l, set, options()); pipeline.KindOf(err) != pipeline.BadData || pipeline.HintOf(err).Empty() {
		t.Errorf("%v", err)
	}
	l, set = world(t, 21, 9)
	if r, _, err := run(t.Context(), l, set, options()); err != nil || r.Classes[0].Recall != nil {
		t.Errorf("30 images: %v", err)
	}
}

func TestHeadsThatDivergeAreLeftOutWithAWarning(t *testing.T) {
	l, set := world(t, 120, 60)
	l.diverges = func(seed uint64, images int) bool { return seed == 6 && images < 30 }
	r, warnings, err := run(t.Context(), l, set, options())
	if err != nil || len(warnings) != 3 || !strings.Contains(warnings[0], "diverged") || !r.Heads[6].Diverged {
		t.Errorf("%v, %q", err, warnings)
	}
	l.diverges, l.nan = nil, true
	if _, warnings, err := run(t.Context(), l, set, options()); pipeline.KindOf(err) != pipeline.Diverged || len(warnings) != 18 {
		t.Errorf("all NaN: %v, %q", err, warnings)
	}
}

func TestInterrupted(t *testing.T) {
	l, set := world(t, 120, 60)
	ctx, cancel := context.WithCancel(t.Context())
	l.diverges = func(uint64, int) bool {
		cancel()
		return false
	}
	if _, _, err := run(ctx, l, set, options()); !errors.Is(err, context.Canceled) || len(l.trained) != 1 {
		t.Errorf("%d heads: %v", len(l.trained), err)
	}
}

func TestTestSet(t *testing.T) {
	l, set := world(t, 120, 60)
	r, _, err := run(t.Context(), l, set, options())
	if err != nil {
		t.Fatal(err)
	}
	s, err := curve.TestSet(r, 0.05)
	if err != nil || s.Accuracy.Value != r.Now.Value || s.AtWorst == nil || len(s.Classes) != 3 || s.Balanced.Images%3 != 0 {
		t.Errorf("%+v: %v", s, err)
	}
}
