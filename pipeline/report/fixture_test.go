package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

// sketch describes a made-up run.
type sketch struct {
	classes  []string
	samples  int // of the test part; 0: not evaluated
	epochs   int
	stages   []string
	decision metrics.Decision
	slices   map[string][]string // values to draw from
	gates    []string
	gallery  bool
	tuned    int     // settings tried
	skill    float64 // how far the logit of the true class is above the others
}

// hostile are names that must not be treated as anything but names.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'onmouseover='alert(1)`, "`code` **bold** _it_", `a|b\|c`,
		"\u202etfel ot thgir", "👩\u200d🚀", "🐈 cat", "", " leading", "tab\there", "nul\x00bell\a", "{{.}}", "${7*7}", "&amp;&lt;",
		"<!-- ", "]]>", "</style><style>*{display:none}", "</title>", "[link](javascript:alert(1))", "http://example.com/x", "www.example.com", "@everyone #1",
		"\u2066isolate", "= 1+1", strings.Repeat("very long name ", 12), "猫", "חתול", "\xff\xfe", "#\u00a0heading",
	}
}

// makeRun makes a run folder as fit and evaluate do.
func makeRun(t testing.TB, dir string, s sketch) rundir.Dir {
	t.Helper()
	run := rundir.Dir{Path: dir}
	check(t, os.MkdirAll(dir, 0o755))
	config := rundir.Config{Tftl: "v0", Seed: 7}
	config.Data = rundir.Data{Path: "/photos/<b>&", TakenFor: "class folders", OnBadImage: "skip", SHA256: strings.Repeat("0f", 32)}
	config.Model = rundir.Model{Path: "/models/vgg16", Backbone: "vgg16", WeightsOrigin: "registry", Units: []int{256}}
	config.Training = rundir.Training{BatchSize: 32, Monitor: "val_loss", Patience: 5, Hyper: pipeline.Hyperparameters{Optimizer: "adam"}}
	config.Runtime = rundir.Runtime{TensorFlow: "2.21.0", Devices: []string{"CPU"}, Precision: "bfloat16", Instructions: "AMX"}
	for _, stage := range s.stages {
		config.Training.Stages = append(config.Training.Stages, rundir.Stage{Name: stage, Epochs: 5, LearningRate: 1e-3, Rate: rundir.Rate{Schedule: "constant"}})
	}
	check(t, run.WriteJSON("config.json", config))
	check(t, run.WriteLabels(s.classes))
	random := rand.New(rand.NewPCG(1, 2))
	var data strings.Builder
	data.WriteString("path,label,split\n")
	for i := range 10 * len(s.classes) {
		fmt.Fprintf(&data, "%d.jpg,%s,%s\n", i, csvField(s.classes[i%len(s.classes)]), []string{"train", "train", "train", "val", "test"}[i/len(s.classes)%5])
	}
	check(t, os.WriteFile(run.File("data.csv"), []byte(data.String()), 0o644))
	var history, timing []any
	for i := range s.epochs {
		history = append(history, epoch(s, i, random))
		timing = append(timing, rundir.Timing{Phase: "epoch", Epoch: i + 1, Images: 100, Train: 1.5, Validate: 0.25, Checkpoint: 0.1})
	}
	writeLines(t, run.File("history.jsonl"), history)
	if s.tuned > 0 {
		check(t, run.WriteTuning(tuning(s.tuned)))
	}
	writeLines(t, run.File("timing.jsonl"), timing)
	if s.samples > 0 {
		evaluate(t, run, s, random)
	}
	return run
}

// writeLines does not sync to disk as rundir does, which would be slow.
func writeLines(t testing.TB, path string, documents []any) {
	t.Helper()
	var lines []byte
	for _, d := range documents {
		line, err := json.Marshal(d)
		check(t, err)
		lines = append(append(lines, line...), '\n')
	}
	check(t, os.WriteFile(path, lines, 0o644))
}

func csvField(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

func epoch(s sketch, i int, random *rand.Rand) pipeline.Epoch {
	loss := 1.5*math.Exp(-float64(i)/4) + 0.1 + 0.05*random.Float64()
	both := func(loss float64) []pipeline.Metric {
		return []pipeline.Metric{{Name: "loss", Value: loss}, {Name: "accuracy", Value: math.Exp(-loss)}}
	}
	stage := s.stages[i*len(s.stages)/s.epochs]
	return pipeline.Epoch{
		Stage: stage, Epoch: i + 1, Step: 10 * (i + 1), LearningRate: 1e-3 * math.Exp(-float64(i)/10),
		Train: both(loss), Validation: both(loss + 0.02*float64(i)), Best: i < 8,
	}
}

// tuning is a search in which a rate of 5e-3 is best.
func tuning(n int) *rundir.Tuning {
	random := rand.New(rand.NewPCG(5, 6))
	t := &rundir.Tuning{
		Monitor: "val_loss", Chosen: n / 2,
		Rungs: []rundir.Rung{{Settings: n, Epochs: 1, StepsPerEpoch: 20}, {Settings: n / 3, Epochs: 1}, {Settings: n / 9, Epochs: 3}, {Settings: 3, Epochs: 10}},
	}
	for i := range n {
		rung := 1
		for ; rung < len(t.Rungs) && i%int(math.Pow(3, float64(rung))) == 1; rung++ {
		}
		rate := 1e-3 * math.Pow(30, 2*random.Float64()-1)
		loss := 0.4 + 0.3*math.Pow(math.Log10(rate/5e-3), 2) + 0.1*random.Float64() - 0.05*float64(rung)
		trial := rundir.Trial{Setting: pipeline.Setting{LearningRate: rate, L2: 1e-4, Dropout: 0.5, Units: []int{256}}, Rung: rung, Score: &loss}
		switch i {
		case 0:
			trial.LearningRate, loss, trial.Rung = 1e-3, 0.32, len(t.Rungs)
		case t.Chosen:
			trial.LearningRate, loss, trial.Rung = 5e-3, 0.05, len(t.Rungs)
		case 2:
			trial.Score = nil
		case 3:
			loss = 41.5
		}
		t.Settings = append(t.Settings, trial)
	}
	return t
}

// evaluate writes what tftl evaluate writes.
func evaluate(t testing.TB, run rundir.Dir, s sketch, random *rand.Rand) {
	t.Helper()
	table := metrics.Table{Classes: s.classes}
	for i := range s.samples {
		label := i % len(s.classes)
		logits := make([]float32, len(s.classes))
		for k := range logits {
			logits[k] = float32(random.NormFloat64())
		}
		logits[label] += float32(s.skill)
		table.Predictions = append(table.Predictions, pipeline.Prediction{
			Sample: pipeline.Sample{ID: fmt.Sprintf("%s/%d.jpg", s.classes[label], i), Label: label, Weight: 1},
			Logits: logits, Probabilities: pipeline.Softmax(logits),
		})
		for column, values := range s.slices {
			if table.Slices == nil {
				table.Slices = map[string][]string{}
			}
			table.Slices[column] = append(table.Slices[column], values[random.IntN(len(values))])
		}
	}
	report, err := metrics.Evaluate(t.Context(), table, metrics.Options{Decision: s.decision, Seed: 1, Resamples: 20})
	check(t, err)
	for _, text := range s.gates {
		gate, err := metrics.ParseGate(text, false)
		check(t, err)
		outcome, err := gate.Check(report, false)
		check(t, err)
		report.Gates = append(report.Gates, outcome)
	}
	check(t, run.WriteJSON("evaluation.json", report))
	var predictions bytes.Buffer
	check(t, table.Write(&predictions, s.decision))
	check(t, os.WriteFile(run.File("predictions.csv"), predictions.Bytes(), 0o644))
	if s.gallery {
		makeGallery(t, run, table, s.decision)
	}
}

func makeGallery(t testing.TB, run rundir.Dir, table metrics.Table, d metrics.Decision) {
	t.Helper()
	digest, err := run.PredictionsDigest()
	check(t, err)
	g := Gallery{Predictions: digest}
	mistakes, uncertain := table.Choose(d)
	dir := filepath.Dir(run.GalleryIndex())
	check(t, os.MkdirAll(dir, 0o755))
	var errs []error
	add := func(kind string, index []int) (pictures []Picture) {
		for n, i := range index {
			p := d.Calibrate(table.Predictions[i : i+1])[0]
			class := d.Class(p.Probabilities)
			one := Picture{
				ID: p.Sample.ID, Label: table.Classes[p.Sample.Label], Predicted: table.Classes[class], Probability: float64(p.Probabilities[class]),
				Thumb: fmt.Sprintf("%s-%02d.jpg", kind, n), Overlay: fmt.Sprintf("%s-%02d.png", kind, n),
			}
			errs = append(errs, savePicture(filepath.Join(dir, one.Thumb), 120+10*(n%5), 120, uint8(10*n)), savePicture(filepath.Join(dir, one.Overlay), 14, 14, 200))
			pictures = append(pictures, one)
		}
		return pictures
	}
	g.Mistakes, g.Uncertain = add("mistake", mistakes), add("uncertain", uncertain)
	check(t, errors.Join(append(errs, WriteGallery(dir, g))...))
}

// savePicture draws a gradient.
func savePicture(path string, width, height int, tone uint8) error {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.SetNRGBA(x, y, color.NRGBA{R: uint8(255 * x / width), G: tone, B: uint8(255 * y / height), A: 130})
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, picture)
	if filepath.Ext(path) == ".jpg" {
		b.Reset()
		err = jpeg.Encode(&b, picture, nil)
	}
	return errors.Join(err, os.WriteFile(path, b.Bytes(), 0o644))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
