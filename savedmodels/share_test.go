package savedmodels

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// lone is a cluster of one task, in which a sum is what this process adds. A process has
// one server at most, so all tests share it.
func lone(t *testing.T) *Runtime {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddrPort(listener.Addr().String())
	listener.Close()
	server, err := StartServer(t.Context(), ServerOptions{Tasks: []string{address.String()}, Listen: address})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Resolve(Options{Precision: Float32, Server: server})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shared begins a stage of four examples, and returns it with its batch.
func shared(t *testing.T, m *Model) (pipeline.Stage, pipeline.Batch) {
	t.Helper()
	ctx := t.Context()
	s, err := m.Open(ctx, "head")
	if err != nil {
		t.Fatal(err)
	}
	head := pipeline.Head{Classes: 3, Units: []int{5}, Seed: 3, FeatureScale: 2, OutputScale: 1}
	if err := errors.Join(s.Init(ctx, head), s.Begin(ctx)); err != nil {
		t.Fatal(err)
	}
	info, err := m.Stage("head")
	if err != nil {
		t.Fatal(err)
	}
	width := int(info.Features[0])
	b := pipeline.Batch{Shape: []int64{4, int64(width)}, Weights: []float32{1, 0.5, 2, 1}}
	for i := range 4 {
		b.Samples = append(b.Samples, pipeline.Sample{ID: string(rune('a' + i))})
		for k := range width {
			b.Data = append(b.Data, float32((i*7+k*3)%11))
		}
		target := make([]float32, 3)
		target[i%3] = 1
		b.Targets = append(b.Targets, target...)
	}
	return s, b
}

// rows is a share of a batch.
func rows(b pipeline.Batch, places ...int) pipeline.Batch {
	width := len(b.Data) / len(b.Samples)
	part := pipeline.Batch{Shape: []int64{int64(len(places)), int64(width)}, Share: &pipeline.Share{Rows: places, Of: len(b.Samples)}}
	for _, at := range places {
		weight := b.Weights[max(at, 0)]
		if at < 0 {
			at, weight = 0, 0
		}
		part.Samples = append(part.Samples, b.Samples[at])
		part.Data = append(part.Data, b.Data[at*width:(at+1)*width]...)
		part.Targets = append(part.Targets, b.Targets[3*at:3*at+3]...)
		part.Weights = append(part.Weights, weight)
	}
	return part
}

func TestSharedSteps(t *testing.T) {
	m, err := Load("../build/testdata/tiny", lone(t))
	if err != nil {
		t.Fatal(err)
	}
	hyper := pipeline.Hyperparameters{Optimizer: "adam", LearningRate: 0.01, Dropout: 0.4, L2: 0.001, ClipNorm: 1}
	// step makes a first step with each part of a batch, every time from the same weights,
	// and returns the results and the logits afterwards.
	step := func(part func(pipeline.Batch) pipeline.Batch) (pipeline.Result, []float32) {
		t.Helper()
		s, whole := shared(t, m)
		defer s.Close()
		result, err := s.Step(t.Context(), part(whole), hyper)
		if err != nil {
			t.Fatal(err)
		}
		after, err := s.Logits(t.Context(), pipeline.Batch{Samples: whole.Samples, Shape: whole.Shape, Data: whole.Data})
		if err != nil {
			t.Fatal(err)
		}
		return result, after
	}
	want, wantAfter := step(func(b pipeline.Batch) pipeline.Batch { return b })
	got, gotAfter := step(func(b pipeline.Batch) pipeline.Batch { return rows(b, 0, 1, 2, 3) })
	if !within5(got.Loss, want.Loss) || !within5(got.Penalty, want.Penalty) || !got.Finite || got.Correct > 4 || !slices.EqualFunc(gotAfter, wantAfter, near32) {
		t.Errorf("a share of all is %+v, then %v; want %+v, %v", got, gotAfter, want, wantAfter)
	}
	// Dropout draws for the whole batch, so the parts have the logits and the losses of it.
	first, _ := step(func(b pipeline.Batch) pipeline.Batch { return rows(b, 0, 2) })
	second, _ := step(func(b pipeline.Batch) pipeline.Batch { return rows(b, 1, 3) })
	if !within5(first.Loss+second.Loss, want.Loss) || first.Correct+second.Correct != got.Correct {
		t.Errorf("losses %g and %g, want the sum %g; %d and %d are correct, want %d", first.Loss, second.Loss, want.Loss, first.Correct, second.Correct, got.Correct)
	}
	if !slices.EqualFunc(first.Logits[3:], want.Logits[6:9], near32) || !slices.EqualFunc(second.Logits[3:], want.Logits[9:], near32) {
		t.Errorf("logits %v and %v, want parts of %v", first.Logits, second.Logits, want.Logits)
	}
	empty, _ := step(func(b pipeline.Batch) pipeline.Batch { return rows(b, -1) })
	if empty.Loss != 0 || empty.Correct != 0 || !empty.Finite {
		t.Errorf("a share without samples is %+v", empty)
	}

	s, whole := shared(t, m)
	m.Runtime.server.End(pipeline.Errorf(pipeline.PeerLost, "worker 1 has ended"))
	if _, err := s.Step(t.Context(), rows(whole, 0), hyper); pipeline.KindOf(err) != pipeline.PeerLost {
		t.Errorf("a step after the end: %v", err)
	}
	if err := s.Save(t.Context(), t.TempDir()+"/x"); err == nil {
		t.Error("a checkpoint is saved while a step may be going on")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func within5(a, b float64) bool { return math.Abs(a-b) <= 1e-5*max(math.Abs(a), math.Abs(b), 1) }

func near32(a, b float32) bool { return within5(float64(a), float64(b)) }

func TestSharesNeedACluster(t *testing.T) {
	r, err := Resolve(Options{Precision: Float32})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load("../build/testdata/tiny", r)
	if err != nil {
		t.Fatal(err)
	}
	s, whole := shared(t, m)
	defer s.Close()
	if _, err := s.Step(t.Context(), rows(whole, 0), pipeline.Hyperparameters{Optimizer: "adam", LearningRate: 0.01}); err == nil || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("got %v", err)
	}
}
