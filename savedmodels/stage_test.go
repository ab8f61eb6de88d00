package savedmodels

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"weak"

	"tftl/pipeline"
)

// openStage opens a stage of the tiny network with a new head.
func openStage(t *testing.T, m *Model, name string, classes int) pipeline.Stage {
	t.Helper()
	s, err := m.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(s.Init(t.Context(), pipeline.Head{Classes: classes, Units: slices.Repeat([]int{16}, m.Description.Head.Hidden), Seed: 1, FeatureScale: 1, OutputScale: 1}), s.Begin(t.Context())); err != nil {
		t.Fatal(err)
	}
	return s
}

// noise returns a batch of different pictures, with the labels in turn.
func noise(n, classes int) pipeline.Batch {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	b := pipeline.Batch{Shape: []int64{int64(n), 32, 32, 3}, Data: make([]float32, n*32*32*3)}
	for i := range b.Data {
		b.Data[i] = float32(random.IntN(256))
	}
	for i := range n {
		b.Samples = append(b.Samples, pipeline.Sample{Label: i % classes})
		b.Weights = append(b.Weights, 1)
		for c := range classes {
			b.Targets = append(b.Targets, map[bool]float32{true: 1}[c == i%classes])
		}
	}
	return b
}

func features(t *testing.T, s pipeline.Stage, images pipeline.Batch) pipeline.Batch {
	t.Helper()
	b, err := s.Features(t.Context(), images)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func step(t *testing.T, s pipeline.Stage, b pipeline.Batch) pipeline.Result {
	t.Helper()
	r, err := s.Step(t.Context(), b, adam)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func logits(t *testing.T, s pipeline.Stage, b pipeline.Batch) []float32 {
	t.Helper()
	z, err := s.Logits(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var adam = pipeline.Hyperparameters{Optimizer: "adam", LearningRate: 1e-2, Dropout: 0.3}

// near compares the results of one network run as two graphs.
func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-5 })
}

func TestHeadIsOfAnyNumberOfClasses(t *testing.T) {
	m := load(t, copyModel(t, "tiny"))
	for _, classes := range []int{2, 3, 7} {
		s := openStage(t, m, "head", classes)
		f := features(t, s, noise(5, classes))
		if !slices.Equal(f.Shape, []int64{5, 32}) || len(f.Data) != 5*32 || len(f.Samples) != 5 {
			t.Fatalf("features of shape %v", f.Shape)
		}
		z := logits(t, s, f)
		if len(z) != 5*classes {
			t.Errorf("%d logits for 5 images of %d classes", len(z), classes)
		}
		r, err := s.Step(t.Context(), f, pipeline.Hyperparameters{Optimizer: "sgd", LearningRate: 1e-2})
		if err != nil || !r.Finite || !slices.Equal(r.Logits, z) {
			t.Errorf("a step gave %+v, %v, where logits were %v", r, err, z)
		}
		if slices.Equal(logits(t, s, f), z) {
			t.Error("a step changed nothing")
		}
		if classes == 2 && (z[0] != 0 || z[8] != 0 || z[1] == 0) {
			t.Errorf("two classes have one logit beside a zero, got %v", z)
		}
	}
	s := openStage(t, m, "head", 2)
	if err := s.Init(t.Context(), pipeline.Head{Classes: 1, Units: []int{16}, FeatureScale: 1, OutputScale: 1}); pipeline.KindOf(err) != pipeline.BadUsage {
		t.Errorf("one class: %v", err)
	}
}

func TestInitFollowsTheSeed(t *testing.T) {
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 3)
	f := features(t, s, noise(4, 3))
	seen := map[float32]uint64{}
	for _, seed := range []uint64{0, 1, 2, 1 << 32, 1 << 63} { // both halves count
		var runs [2][]float32
		for i := range runs {
			if err := s.Init(t.Context(), pipeline.Head{Classes: 3, Units: []int{16}, Seed: seed, FeatureScale: 1, OutputScale: 1}); err != nil {
				t.Fatal(err)
			}
			runs[i] = logits(t, s, f)
		}
		if !slices.Equal(runs[0], runs[1]) {
			t.Errorf("seed %d gave two heads", seed)
		}
		if other, twice := seen[runs[0][0]]; twice {
			t.Errorf("seeds %d and %d gave one head", seed, other)
		}
		seen[runs[0][0]] = seed
	}
}

func TestLossIsWeightedCrossEntropy(t *testing.T) {
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 3)
	b := features(t, s, noise(4, 3))
	b.Weights = []float32{1, 0, 2.5, 0.5}
	copy(b.Targets, []float32{0.2, 0.3, 0.5}) // soft targets
	h := pipeline.Hyperparameters{Optimizer: "sgd", LearningRate: 1e-3, L2: 0.01}
	r, err := s.Step(t.Context(), b, h)
	if err != nil {
		t.Fatal(err)
	}
	var want float64
	for i, w := range b.Weights {
		p := pipeline.Softmax(r.Logits[3*i : 3*i+3])
		for c := range 3 {
			want -= float64(w*b.Targets[3*i+c]) * math.Log(float64(p[c])) / 4
		}
	}
	if math.Abs(r.Loss-want) > 1e-6*want {
		t.Errorf("loss %g, want %g", r.Loss, want)
	}
	if !(r.Penalty > 0) {
		t.Errorf("penalty %g", r.Penalty)
	}
}

// A checkpoint has the weights, the optimizer's state and the position of
// dropout, so training continues from it as if never interrupted.
func TestCheckpointIsTheWholeState(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "tiny"))
	for _, stage := range []string{"head", "block2"} {
		s := openStage(t, m, stage, 3)
		f := features(t, s, noise(6, 3))
		prefix := filepath.Join(t.TempDir(), "a [b] c", "ckpt")
		if err := s.Save(t.Context(), prefix); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "a [b] c") {
			t.Errorf("saved into a folder that is not there: %v", err)
		}
		if err := os.Mkdir(filepath.Dir(prefix), 0o777); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			step(t, s, f)
		}
		if err := s.Save(t.Context(), prefix); err != nil {
			t.Fatal(err)
		}
		saved := logits(t, s, f)
		var want []float32
		for range 3 {
			want = append(want, step(t, s, f).Logits...)
		}
		if err := s.Restore(t.Context(), prefix); err != nil {
			t.Fatal(err)
		}
		if got := logits(t, s, f); !slices.Equal(got, saved) {
			t.Errorf("%s: restored to %v, saved at %v", stage, got, saved)
		}
		var got []float32
		for range 3 {
			got = append(got, step(t, s, f).Logits...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: three steps gave\n%v, and from the checkpoint\n%v", stage, want, got)
		}

		// The same in another session.
		again := openStage(t, m, stage, 2)
		if err := again.Restore(t.Context(), prefix); err != nil {
			t.Fatal(err)
		}
		got = nil
		for range 3 {
			got = append(got, step(t, again, f).Logits...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: three steps gave\n%v, and in another session\n%v", stage, want, got)
		}
		if err := s.Restore(t.Context(), prefix+"x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("restored what is not there: %v", err)
		}
	}
}

func TestBeginEmptiesTheOptimizersMemory(t *testing.T) {
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 3)
	f := features(t, s, noise(6, 3))
	prefix := filepath.Join(t.TempDir(), "ckpt")
	plain := pipeline.Hyperparameters{Optimizer: "sgd", LearningRate: 0.1, Momentum: 0.9}
	go3 := func(begin bool) []float32 {
		t.Helper()
		if err := s.Restore(t.Context(), prefix); err != nil {
			t.Fatal(err)
		}
		if begin {
			if err := s.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Step(t.Context(), f, plain); err != nil {
			t.Fatal(err)
		}
		return logits(t, s, f)
	}
	if _, err := s.Step(t.Context(), f, plain); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), prefix); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(go3(false), go3(true)) {
		t.Error("a step with momentum is the same before and after Begin")
	}
}

func TestACheckpointBeginsTheNextStage(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "tiny"))
	images := noise(6, 3)
	head := openStage(t, m, "head", 3)
	f := features(t, head, images)
	for range 5 {
		step(t, head, f)
	}
	prefix := filepath.Join(t.TempDir(), "ckpt")
	if err := head.Save(t.Context(), prefix); err != nil {
		t.Fatal(err)
	}
	want := logits(t, head, f)
	for _, name := range []string{"block2", "block1"} {
		deeper := openStage(t, m, name, 2)
		if err := errors.Join(deeper.Restore(t.Context(), prefix), deeper.Begin(t.Context())); err != nil {
			t.Fatal(err)
		}
		g := features(t, deeper, images)
		if got := logits(t, deeper, g); !near(got, want) {
			t.Errorf("%s: logits %v, the head's %v", name, got, want)
		}
		if r := step(t, deeper, g); !r.Finite {
			t.Errorf("%s: %+v", name, r)
		}
		if slices.Equal(logits(t, deeper, g), want) {
			t.Errorf("%s: a step changed nothing", name)
		}
	}
}

func TestStepThatIsNotFiniteChangesNothing(t *testing.T) {
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 2)
	f := features(t, s, noise(4, 2))
	step(t, s, f)
	before := logits(t, s, f)
	bad := f
	bad.Data = slices.Clone(f.Data)
	bad.Data[3] = float32(math.NaN())
	if r := step(t, s, bad); r.Finite {
		t.Errorf("got %+v", r)
	}
	if !slices.Equal(logits(t, s, f), before) {
		t.Error("weights were changed")
	}
	// Nor did it change the optimizer's state.
	if r := step(t, s, f); !r.Finite || slices.Equal(logits(t, s, f), before) {
		t.Errorf("the next step is %+v", r)
	}
}

// Panics of tfgo and long errors of TensorFlow become errors of one line.
func TestBadCallsAreErrors(t *testing.T) {
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 2)
	images := noise(3, 2)
	f := features(t, s, images)
	wide := pipeline.Batch{Samples: f.Samples, Shape: []int64{3, 31}, Data: f.Data[:3*31], Targets: f.Targets, Weights: f.Weights}
	short := f
	short.Data = f.Data[:5]
	targets := f
	targets.Targets = make([]float32, 3*5)
	unknown := adam
	unknown.Optimizer = "lion"
	try := func(b pipeline.Batch, h pipeline.Hyperparameters) error {
		_, err := s.Step(t.Context(), b, h)
		return err
	}
	logitsOf := func(b pipeline.Batch) error { _, err := s.Logits(t.Context(), b); return err }
	featuresOf := func(b pipeline.Batch) error { _, err := s.Features(t.Context(), b); return err }
	for name, err := range map[string]error{
		"features too narrow": logitsOf(wide), "step on them": try(wide, adam),
		"data too short": logitsOf(short), "step on it": try(short, adam),
		"targets of five classes": try(targets, adam), "no samples": try(pipeline.Batch{}, adam),
		"pixels as features": logitsOf(images), "features as pixels": featuresOf(f),
		"unknown optimizer": try(f, unknown),
	} {
		if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "{{") {
			t.Errorf("%s: got %v, want an error of one line", name, err)
		}
	}
	if err := try(f, unknown); pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), "adam sgd") {
		t.Errorf("unknown optimizer: %v", err)
	}
	// It still works after all that.
	step(t, s, f)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Step(ctx, f, adam); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Save(ctx, filepath.Join(t.TempDir(), "ckpt")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled save: %v", err)
	}
}

func TestDamagedCheckpointIsAnError(t *testing.T) {
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 2)
	prefix := filepath.Join(t.TempDir(), "ckpt")
	for name, damage := range map[string]string{"index": ".index", "data": ".data-00000-of-00001"} {
		if err := s.Save(t.Context(), prefix); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(prefix+damage, 10); err != nil {
			t.Fatal(err)
		}
		if err := s.Restore(t.Context(), prefix); err == nil || !strings.Contains(err.Error(), prefix) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFeaturesAreSafeForConcurrentUse(t *testing.T) {
	for _, name := range []string{"tiny", "normalized"} { // the second with constants
		s, other := openStage(t, load(t, filepath.Join(fixtures, name)), "head", 2), openStage(t, load(t, filepath.Join(fixtures, name)), "head", 2)
		images := noise(4, 2)
		want := features(t, other, images)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					got, err := s.Features(t.Context(), images)
					if err != nil || !slices.Equal(got.Data, want.Data) {
						t.Errorf("%s: other features, or %v", name, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// An image's features do not depend on the rest of its batch, because the cache
// stores them per image. The same batch gives the same bits, and a batch of
// another size differs only by rounding.
func TestFeaturesOfAnImageAreItsOwn(t *testing.T) {
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 2)
	images := noise(7, 2)
	whole := features(t, s, images)
	if again := features(t, s, images); !slices.Equal(again.Data, whole.Data) {
		t.Error("the same batch has other features")
	}
	size, width := 32*32*3, 32
	rounding := float64(1e-5 * slices.Max(whole.Data))
	for i := range 7 {
		one := pipeline.Batch{Samples: images.Samples[i : i+1], Shape: []int64{1, 32, 32, 3}, Data: images.Data[i*size : (i+1)*size]}
		for k, got := range features(t, s, one).Data {
			if want := whole.Data[i*width+k]; !(math.Abs(float64(got-want)) <= rounding) {
				t.Errorf("image %d alone has the feature %v, and %v beside others", i, got, want)
			}
		}
	}
}

// Tensors are C memory, which Go's garbage collector does not see, so they must be
// freed immediately.
func TestMemoryStaysFlat(t *testing.T) {
	resident := func() int {
		text, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Skip(err)
		}
		pages, err := strconv.Atoi(strings.Fields(string(text))[1])
		if err != nil {
			t.Fatal(err)
		}
		return pages * os.Getpagesize()
	}
	s := openStage(t, load(t, filepath.Join(fixtures, "tiny")), "head", 2)
	images := noise(256, 2) // 3 MB
	run := func(n int) {
		for range n {
			features(t, s, images)
		}
	}
	run(20)
	before := resident()
	run(100)
	if grown := (resident() - before) >> 20; grown > 100 {
		t.Errorf("100 batches of 3 MB left %d MB behind", grown)
	}
}

func TestCloseLetsTheSessionGo(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "tiny"))
	s, err := m.Open(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	session := weak.Make(s.(*stage).model.(loaded).Model)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if session.Value() != nil {
		t.Error("something still holds the session, so nothing will ever free it")
	}
	runtime.KeepAlive(s)
}
