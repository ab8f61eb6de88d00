package evaluate_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/internal/fake"
	"tftl/pipeline/workflow/train"
)

// network predicts dog for every image.
type network struct{ logit float32 }

func (network) Classes() []string { return []string{"cat", "dog"} }

func (n network) Predict(_ context.Context, images pipeline.Encoded, _ int) iter.Seq2[[]pipeline.Prediction, error] {
	return func(yield func([]pipeline.Prediction, error) bool) {
		for i := range images.Len() {
			_, err := images.Bytes(i)
			logits := []float32{0, n.logit + float32(images.Sample(i).Label)/10}
			one := pipeline.Prediction{Sample: images.Sample(i), Logits: logits, Probabilities: pipeline.Softmax(logits)}
			if !yield([]pipeline.Prediction{one}, err) || err != nil {
				return
			}
		}
	}
}

// setting has a world with data and a run trained on it.
type setting struct {
	fake.World
	t      *testing.T
	folder string
}

func newSetting(t *testing.T) *setting {
	s := &setting{t: t, folder: t.TempDir()}
	fake.Data(t, s.path("photos"))
	fake.Write(t, s.path("model/saved_model.pb"), "")
	run, err := train.New(t.Context(), train.Request{
		Config: rundir.Config{
			Data: rundir.Data{Path: s.path("photos"), OnBadImage: train.FailOnBadImage}, Model: rundir.Model{Path: s.path("model")},
			Training: rundir.Training{
				BatchSize: 3, Rate: rundir.Rate{Schedule: "constant", DecayRate: 0.1, DecayEpochs: 5},
				Plateau: rundir.Plateau{Patience: 3}, Hyper: pipeline.Hyperparameters{Optimizer: "sgd"}, Monitor: "val_loss",
			},
		},
		Output: s.path("run"), Epochs: 1,
	}, s.Env())
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if _, err := run.Fit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Notes = nil
	return s
}

func (s *setting) path(name string) string { return filepath.Join(s.folder, name) }

func (s *setting) request() evaluate.Request {
	return evaluate.Request{Model: s.path("run"), TopK: 5, BatchSize: 4, OnBadImage: train.FailOnBadImage}
}

func (s *setting) evaluate(r evaluate.Request) *evaluate.Result {
	s.t.Helper()
	result, err := evaluate.Run(s.t.Context(), r, network{1}, s.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

func (s *setting) exists(name string) bool {
	_, err := os.Stat(s.path(name))
	return err == nil
}

func TestMeasuringKeepingAndIllustratingAreSeparate(t *testing.T) {
	s := newSetting(t)
	result := s.evaluate(s.request())
	if result.Images.Len() != 4 || result.Report.Value("accuracy") != 0.5 {
		t.Errorf("%d images, accuracy %v", result.Images.Len(), result.Report.Value("accuracy"))
	}
	if s.exists("run/evaluation.json") {
		t.Error("measuring writes")
	}
	if err := result.Keep(t.Context()); err != nil || !s.exists("run/evaluation.json") || !s.exists("run/predictions.csv") || s.exists("run/gallery") {
		t.Errorf("keep: %v", err)
	}
	if err := result.Illustrate(t.Context(), fake.Painter{}); err != nil || !s.exists("run/gallery/01.jpg") || !s.exists("run/gallery/01-heat.png") || !s.exists("run/report.html") {
		t.Errorf("illustrate: %v", err)
	}
	painted, err := os.ReadFile(s.path("run/gallery/01.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(s.path("run/gallery/01.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Illustrate(t.Context(), fake.Painter{}); err != nil {
		t.Error(err)
	}
	if now, err := os.Stat(s.path("run/gallery/01.jpg")); err != nil || !os.SameFile(before, now) {
		t.Errorf("%v: pictures of the same predictions are painted again", err)
	}
	other, err := fake.Square(2)
	if err != nil {
		t.Fatal(err)
	}
	fake.Write(t, s.path("run/gallery/01.jpg"), string(other))
	if err := result.Illustrate(t.Context(), fake.Painter{}); err != nil {
		t.Error(err)
	}
	if now, err := os.ReadFile(s.path("run/gallery/01.jpg")); err != nil || !bytes.Equal(now, painted) {
		t.Errorf("%v: a damaged picture stays", err)
	}
	if err := os.Remove(s.path("run/gallery/01-heat.png")); err != nil {
		t.Fatal(err)
	}
	stored, err := evaluate.Stored(t.Context(), s.request(), s.Env())
	if err != nil {
		t.Fatal(err)
	}
	if err := stored.Illustrate(t.Context(), fake.Painter{}); err != nil || !s.exists("run/gallery/01-heat.png") {
		t.Errorf("illustrate what is stored: %v", err)
	}
}

func TestParseKept(t *testing.T) {
	for text, want := range map[string]evaluate.Kept{"full": {}, "none": {None: true}, "top:3": {Top: 3}} {
		if got, err := evaluate.ParseKept(text); err != nil || got != want || got.String() != text || got.Full() != (text == "full") {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "all", "top", "top:", "top:0", "top:x", "3"} {
		if _, err := evaluate.ParseKept(text); pipeline.OptionOf(err) != "predictions" || pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Pictures do not need the predictions in the folder, but what is chosen later does.
func TestLessThanAllPredictionsIsKept(t *testing.T) {
	for text, want := range map[string]string{"top:1": "has only the top 1 of the classes", "none": "without keeping its predictions"} {
		s := newSetting(t)
		r := s.request()
		r.Predictions, _ = evaluate.ParseKept(text)
		result := s.evaluate(r)
		if err := result.Keep(t.Context()); err != nil || s.exists("run/predictions.csv") == r.Predictions.None {
			t.Errorf("%s: %v", text, err)
		}
		if err := result.Illustrate(t.Context(), fake.Painter{}); err != nil || !s.exists("run/gallery/01.jpg") || !s.exists("run/report.html") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := evaluate.Stored(t.Context(), r, s.Env()); err == nil || !strings.Contains(err.Error(), want) || pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestAnEvaluationThatWasReplacedIsNotIllustrated(t *testing.T) {
	s := newSetting(t)
	first := s.evaluate(s.request())
	if err := first.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := evaluate.Run(t.Context(), s.request(), network{2}, s.Env())
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Illustrate(t.Context(), fake.Painter{}); err != nil || s.exists("run/gallery") {
		t.Errorf("pictures of another evaluation: %v", err)
	}
}

func TestOnlyTheRunsOwnTestPartIsKept(t *testing.T) {
	s := newSetting(t)
	half := 0.5
	for name, change := range map[string]func(*evaluate.Request){
		"another part": func(r *evaluate.Request) { r.Part = pipeline.ValidationPart },
		"other data": func(r *evaluate.Request) {
			r.Data = filepath.Join(fake.Data(t, s.path("others")), "train")
			for i := range 4 {
				fake.Write(t, s.path(fmt.Sprintf("others/train/cat/%d.jpg", i)), fmt.Sprint(100+i))
			}
		},
	} {
		r := s.request()
		r.Decision.Threshold = &half
		r.Predictions.None = true
		change(&r)
		result := s.evaluate(r)
		if err := result.Keep(t.Context()); err != nil || s.exists("run/evaluation.json") || s.exists("run/decision.json") {
			t.Errorf("%s: %v, and it is kept", name, err)
		}
		if notes := strings.Join(s.Notes, ""); !strings.Contains(notes, "the decision is not kept") || !strings.Contains(notes, "none changes nothing") {
			t.Errorf("%s: nothing is said of what is not kept", name)
		}
		s.Notes = nil
		if err := result.Illustrate(t.Context(), fake.Painter{}); err != nil || s.exists("run/gallery") {
			t.Errorf("%s: %v, and it is illustrated", name, err)
		}
	}
}

func TestDecisionIsFoundOnValidationAndKept(t *testing.T) {
	s := newSetting(t)
	r := s.request()
	r.Decision.BestF1 = true
	result := s.evaluate(r)
	if err := result.Keep(t.Context()); err != nil || !s.exists("run/decision.json") {
		t.Fatalf("%v", err)
	}
	if d, err := evaluate.ReadDecision(s.path("run"), 2); err != nil || d != result.Report.Decision || d.ThresholdFrom != "f1 on validation" {
		t.Errorf("decision %+v, %v", d, err)
	}
	table, d, err := evaluate.ReadPredictions(s.path("run"))
	if err != nil || len(table.Predictions) != 4 || d != result.Report.Decision {
		t.Errorf("%d predictions, decision %+v, %v", len(table.Predictions), d, err)
	}
	one := 2.0
	r.Decision = evaluate.DecisionRequest{Temperature: &one}
	if _, err := evaluate.Run(t.Context(), r, network{1}, s.Env()); pipeline.OptionOf(err) != "temperature" {
		t.Errorf("a temperature under a stored threshold: %v", err)
	}
	r = s.request()
	r.Model, r.Data = s.path("model"), s.path("photos")
	r.Decision.FitTemperature = true
	if _, err := evaluate.Run(t.Context(), r, network{1}, s.Env()); err == nil || !strings.Contains(err.Error(), "is not a run") {
		t.Errorf("a temperature to be found without a run: %v", err)
	}
}

func TestTrainedImagesAreTold(t *testing.T) {
	s := newSetting(t)
	fake.Data(t, s.path("others"))
	r := s.request()
	r.Data = s.path("others/train") // train/cat/0.jpg of the run is cat/0.jpg here
	s.evaluate(r)
	if !s.Noted("the run was trained on 8 of these images") {
		t.Error("nothing is said")
	}
	fake.Write(t, s.path("photos/test/cat/0.jpg"), "8") // now it has changed
	s.evaluate(s.request())
	if !s.Noted("1 of 4 images have changed since the run began: test/cat/0.jpg") {
		t.Error("nothing is said of a changed image")
	}
}

func TestGatesAreHeld(t *testing.T) {
	s := newSetting(t)
	for text, passes := range map[string]bool{"accuracy=0.5": true, "accuracy=0.6": false, "recall[dog]=1": true} {
		gate, err := metrics.ParseGate(text, false)
		if err != nil {
			t.Fatal(err)
		}
		r := s.request()
		r.Gates = []metrics.Gate{gate}
		if result := s.evaluate(r); len(result.Report.Gates) != 1 || result.Report.Gates[0].Passed != passes {
			t.Errorf("%s: %+v", text, result.Report.Gates)
		}
	}
	gate, err := metrics.ParseGate("recall[bird]=1", false)
	if err != nil {
		t.Fatal(err)
	}
	r := s.request()
	r.Gates = []metrics.Gate{gate}
	if _, err := evaluate.Run(t.Context(), r, network{1}, s.Env()); err == nil || !strings.Contains(err.Error(), "bird") {
		t.Errorf("a class that is not there: %v", err)
	}
}
