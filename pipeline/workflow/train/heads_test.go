package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/workflow/train"
)

// heads are those of the request that fit would train.
func (s *setting) heads() *train.Heads {
	s.t.Helper()
	request := s.request("never-written")
	prepared, err := train.Prepare(s.t.Context(), request, s.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	h, err := prepared.Heads(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return h
}

// inPart lists the images of a part of the fake's data.
func inPart(h *train.Heads, part string) (index []int) {
	for i := range h.Images().Len() {
		if filepath.Dir(filepath.Dir(h.Images().Sample(i).ID)) == part {
			index = append(index, i)
		}
	}
	return index
}

// A head that is trained on a run's parts is the run's, also after others.
func TestHeadsEqualThoseOfARun(t *testing.T) {
	s := newSetting(t)
	result := s.fit(s.request("run"))
	h := s.heads()
	training, validation := inPart(h, pipeline.TrainPart), inPart(h, pipeline.ValidationPart)
	if n := h.Images().Len(); len(training) == 0 || len(validation) == 0 || n != len(training)+len(validation)+len(inPart(h, pipeline.TestPart)) {
		t.Fatalf("%d images: %d for training, %d for validation", n, len(training), len(validation))
	}
	passes := s.Passes
	for _, seed := range []uint64{3, 4, 3} {
		best, err := h.Train(t.Context(), seed, training, validation)
		if err != nil {
			t.Fatal(err)
		}
		predictions, err := h.Predict(t.Context(), validation)
		if err != nil || len(predictions) != len(validation) || predictions[0].Sample != h.Images().Sample(validation[0]) {
			t.Fatalf("%d predictions: %v", len(predictions), err)
		}
		loss, _ := best.Value("val_loss")
		if again := metrics.Basic(predictions)[0].Value; again != loss {
			t.Errorf("seed %d: the best epoch has val_loss %g, predictions %g", seed, loss, again)
		}
		want, _ := result.Best.Value("val_loss")
		if (loss == want) != (seed == 3) {
			t.Errorf("seed %d: val_loss %g, the run with seed 3 has %g", seed, loss, want)
		}
	}
	if s.Passes-passes > 3*(3+1)*len(validation) {
		t.Errorf("%d passes for three heads", s.Passes-passes)
	}
	if _, err := os.Stat(s.path("never-written")); err == nil {
		t.Error("heads wrote a run")
	}
}

func TestHeadsGiveFeatures(t *testing.T) {
	h := newSetting(t).heads()
	all, width, err := h.Features(t.Context(), []int{0, 1, 2})
	if err != nil || width < 1 || len(all) != 3*width {
		t.Fatalf("%d numbers, width %d: %v", len(all), width, err)
	}
	second, _, err := h.Features(t.Context(), []int{1})
	if err != nil || second[0] != all[width] {
		t.Errorf("alone %v, with others %v: %v", second, all[width:2*width], err)
	}
}

func TestHeadsEndWhenInterrupted(t *testing.T) {
	h := newSetting(t).heads()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Train(ctx, 1, inPart(h, pipeline.TrainPart), inPart(h, pipeline.ValidationPart)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Heads are of frozen features.
func TestHeadsRefuseOtherTraining(t *testing.T) {
	s := newSetting(t)
	request := s.request("run")
	request.Config.Training.MixUp = 0.2
	prepared, err := train.Prepare(t.Context(), request, s.Env())
	if err != nil {
		t.Fatal(err)
	}
	if h, err := prepared.Heads(t.Context()); err == nil || h != nil {
		t.Error("mixed images are accepted")
	}
}
