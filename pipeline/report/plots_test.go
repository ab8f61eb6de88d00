package report

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/rundir"
)

func TestTicksAreRoundNumbersOfTheirRange(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		lowest := random.NormFloat64() * math.Pow(10, float64(random.IntN(9)-5))
		highest := lowest + math.Pow(10, float64(random.IntN(9)-5))*(1+random.Float64())
		n := 3 + random.IntN(5)
		all := ticks(lowest, highest, n)
		if len(all) < 1 || len(all) > n+1 {
			t.Fatalf("%v to %v: %d ticks, about %d were wanted", lowest, highest, len(all), n)
		}
		slack := (highest - lowest) * 1e-6
		for i, tick := range all {
			label, err := strconv.ParseFloat(tick.Label, 64)
			check(t, err)
			if tick.Value < lowest-slack || tick.Value > highest+slack || i > 0 && tick.Value <= all[i-1].Value {
				t.Fatalf("%v to %v: tick %v", lowest, highest, tick)
			}
			if math.Abs(label-tick.Value) > max(math.Abs(tick.Value)*0.005, slack) || strings.HasPrefix(tick.Label, "-0.0") && tick.Value == 0 {
				t.Fatalf("%v to %v: %v is labelled %s", lowest, highest, tick.Value, tick.Label)
			}
		}
	}
	for _, limits := range [][2]float64{{1, 1}, {2, 1}, {math.NaN(), 1}, {0, math.Inf(1)}} {
		if all := ticks(limits[0], limits[1], 5); all != nil {
			t.Errorf("%v: %v", limits, all)
		}
	}
}

// Plots have the colours and fonts of the page and no others. A new version of
// the library that writes other SVG fails here.
func TestDrawingsTakeTheirColoursFromThePage(t *testing.T) {
	p := newPlot("x & y", "<y>")
	unit(p)
	for i := inkTint; i <= fillTint; i++ {
		check(t, add(p, series{x: []float64{0, 1}, y: []float64{0, float64(i) / 9}, tint: i, width: 1, dots: true}))
	}
	svg, err := render(p, plotWidth, plotHeight, "id", "<name>", "words & more")
	check(t, err)
	text := string(svg)
	for i := inkTint; i <= fillTint; i++ {
		if !strings.Contains(text, i.variable()) {
			t.Errorf("nothing is drawn in %s", i.variable())
		}
	}
	for _, bad := range []string{"#", "font-family", "<?xml", "<y>", "<name>", "xlink"} {
		if strings.Contains(text, bad) {
			t.Errorf("the drawing has %s", bad)
		}
	}
	if !strings.Contains(text, `<title id="id-title">&lt;name&gt;</title><desc id="id-desc">words &amp; more</desc>`) {
		t.Error("the drawing has no words")
	}
	style, err := files.ReadFile("style.css")
	check(t, err)
	for i := inkTint; i <= fillTint; i++ {
		if name := strings.Trim(i.variable(), "var()"); strings.Count(string(style), name+":") != 2 {
			t.Errorf("the style sheet does not say what %s is in light and in dark", name)
		}
	}
}

// A history may hold NaN, a single epoch, or the same value throughout.
func TestHistoriesThatAreHardToDraw(t *testing.T) {
	nan := math.NaN()
	for name, losses := range map[string][]float64{
		"diverged": {1, nan, nan, 2, math.Inf(1)}, "nothing": {nan, nan}, "single": {0.5}, "flat": {1, 1, 1}, "zero": {0, 0}, "huge": {1e300, 1}, "tiny": {1e-300, 2e-300},
	} {
		var history []pipeline.Epoch
		for i, loss := range losses {
			both := []pipeline.Metric{{Name: "loss", Value: loss}, {Name: "accuracy", Value: loss}}
			history = append(history, pipeline.Epoch{Stage: "head", Epoch: i + 1, LearningRate: loss, Train: both, Validation: both, Best: i == 0})
		}
		c := contents{history: history}
		c.config.Training.Monitor = "val_loss"
		drawn, err := newTraining(c)
		if err != nil || len(drawn.Plots) != 3 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, d := range drawn.Plots {
			if strings.Contains(string(d.SVG), "NaN") || strings.Contains(string(d.SVG), "Inf") {
				t.Errorf("%s: %s contains NaN", name, d.Title)
			}
		}
	}
}

func TestStagesAreMarked(t *testing.T) {
	_, root := makePage(t, "two", sketches()["two"])
	words := map[string]int{}
	for _, n := range elements(root, "text") {
		words[textOf(n)]++
	}
	if words["head"] != 3 || words["block5"] != 3 {
		t.Errorf("the stages are named %d and %d times in three plots", words["head"], words["block5"])
	}
}

func TestThinnedCurveLooksTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var predictions []pipeline.Prediction
	for range 20000 {
		p, label := random.Float32(), 0
		if random.Float32() < p {
			label = 1
		}
		predictions = append(predictions, pipeline.Prediction{Sample: pipeline.Sample{Label: label}, Probabilities: []float32{1 - p, p}})
	}
	whole := metrics.NewCurves(predictions).ROC(1)
	x, y := thin(whole, 0.002)
	if len(x) > 1001 || len(x) >= len(whole.X) {
		t.Errorf("%d points of %d are left", len(x), len(whole.X))
	}
	k := 0
	for i := range whole.X {
		for k+1 < len(x) && x[k+1] <= whole.X[i] && y[k+1] <= whole.Y[i] {
			k++
		}
		if math.Abs(x[k]-whole.X[i]) > 0.002 || math.Abs(y[k]-whole.Y[i]) > 0.002 {
			t.Fatalf("(%v, %v) was left out, and the one before is (%v, %v)", whole.X[i], whole.Y[i], x[k], y[k])
		}
	}
	if n := len(x) - 1; x[0] != 0 || y[0] != 0 || x[n] != 1 || y[n] != 1 {
		t.Error("the ends are missing")
	}
}

func TestSpanCoversWhatIsDrawn(t *testing.T) {
	for _, limits := range [][2]float64{{0, 0.37}, {0.41, 1}, {0.98, 0.99}, {3, 3}, {0, 0}, {-2, 5}, {1e-9, 3e-9}} {
		var axis plot.Axis
		span(&axis, limits[0], limits[1])
		if !(axis.Min <= limits[0] && axis.Max >= limits[1] && axis.Min < axis.Max) {
			t.Errorf("%v: the axis goes from %v to %v", limits, axis.Min, axis.Max)
		}
	}
}

func TestTuningsThatAreHardToDraw(t *testing.T) {
	one, much := 1.0, 1e300
	for name, scores := range map[string][]*float64{
		"all diverged but the default": {&one, nil, nil}, "the default diverged": {nil, &one}, "flat": {&one, &one, &one}, "huge": {&one, &much, &one},
	} {
		for _, rate := range []float64{1e-3, 2e-3} {
			tuning := &rundir.Tuning{Monitor: "val_loss", Rungs: []rundir.Rung{{Settings: len(scores), Epochs: 3}}}
			for i, score := range scores {
				s := rundir.Trial{Setting: pipeline.Setting{LearningRate: 1e-3}, Rung: 1, Score: score}
				if i > 0 {
					s.LearningRate = rate
				}
				if score != nil && scores[tuning.Chosen] == nil {
					tuning.Chosen = i
				}
				tuning.Settings = append(tuning.Settings, s)
			}
			d, err := drawTuning(tuning)
			if err != nil || strings.Contains(string(d.SVG), "NaN") || strings.Contains(string(d.SVG), "Inf") {
				t.Errorf("%s: %v %s", name, err, d.SVG)
			}
			if rows := tuningGrid(tuning).Rows; len(rows) != len(scores) || !strings.HasSuffix(rows[0][0], "chosen") {
				t.Errorf("%s: rows %q", name, rows)
			}
		}
	}
}
