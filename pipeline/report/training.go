package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// training describes the course of the training.
type training struct {
	Summary string
	Stages  grid // no rows if there is only one
	Plots   []drawing
	History grid
	Tuning  grid // without rows if the run was not tuned
}

// newTraining draws a history, or is nil if there is no epoch yet.
func newTraining(c contents) (*training, error) {
	if len(c.history) == 0 {
		return nil, nil
	}
	monitor := c.config.Training.Monitor
	t := &training{Summary: summarize(c.history, monitor), Stages: stagesGrid(c.history, monitor), History: historyGrid(c.history)}
	metric := strings.TrimPrefix(monitor, "val_")
	if metric == "loss" || metric == "" {
		metric = "accuracy"
	}
	for _, draw := range []func([]pipeline.Epoch, string) (drawing, error){drawLoss, drawMetric, drawRate} {
		d, err := draw(c.history, metric)
		if err != nil {
			return nil, err
		}
		t.Plots = append(t.Plots, d)
	}
	if c.tuning != nil {
		d, err := drawTuning(c.tuning)
		if err != nil {
			return nil, err
		}
		t.Plots = append(t.Plots, d)
		t.Summary, t.Tuning = t.Summary+". "+summarizeTuning(c.tuning), tuningGrid(c.tuning)
	}
	return t, nil
}

// summarize describes a history in one line.
func summarize(history []pipeline.Epoch, monitor string) string {
	text := count(len(history), "epoch")
	if stages := stagesOf(history); len(stages) > 1 {
		var names []string
		for _, s := range stages {
			names = append(names, s.name)
		}
		text += " in the stages " + list(names)
	}
	if best, ok := pipeline.BestOf(history); ok {
		if value, ok := best.Value(monitor); ok {
			return fmt.Sprintf("%s; the best was epoch %d with %s %s", text, best.Epoch, monitor, decimals(value))
		}
		return fmt.Sprintf("%s; the best was epoch %d", text, best.Epoch)
	}
	return text + "; no best epoch"
}

// stageStart is the first epoch of a stage.
type stageStart struct {
	name  string
	epoch int
}

func stagesOf(history []pipeline.Epoch) []stageStart {
	var starts []stageStart
	for i, e := range history {
		if i == 0 || e.Stage != history[i-1].Stage {
			starts = append(starts, stageStart{display(e.Stage), e.Epoch})
		}
	}
	return starts
}

func drawLoss(history []pipeline.Epoch, _ string) (drawing, error) {
	return drawTwo(history, "loss", "plot-loss", "Loss", func(_, highest float64) (float64, float64) { return 0, highest })
}

func drawMetric(history []pipeline.Epoch, name string) (drawing, error) {
	return drawTwo(history, name, "plot-metric", title(name), func(lowest, highest float64) (float64, float64) { return lowest, highest })
}

func drawRate(history []pipeline.Epoch, _ string) (drawing, error) {
	rates := make([]float64, len(history))
	highest := 0.0
	for i, e := range history {
		rates[i] = e.LearningRate
		if finite(e.LearningRate) {
			highest = max(highest, 1.05*e.LearningRate)
		}
	}
	p := newPlot("epoch", "")
	span(&p.Y, 0, highest)
	d := drawing{ID: "plot-rate", Title: "Learning rate", Legend: []key{{"s1", "at the last step of each epoch"}}}
	line := series{x: epochsOf(history), y: rates, tint: firstTint, width: 2, dots: len(history) <= 12}
	return finish(d, p, history, []series{line}, fmt.Sprintf("From %s in the first epoch to %s in the last.", number(rates[0]), number(rates[len(rates)-1])))
}

// drawTwo draws a metric over the epochs, on the training and validation parts.
// limits chooses the range of the axis from the lowest and highest value.
func drawTwo(history []pipeline.Epoch, name, id, words string, limits func(lowest, highest float64) (float64, float64)) (drawing, error) {
	x, few := epochsOf(history), len(history) <= 12
	train := series{x: x, tint: secondTint, width: 1.75, dash: []vg.Length{5, 3}, dots: few}
	validation := series{x: x, tint: firstTint, width: 2.25, dots: few}
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, e := range history {
		for _, s := range []struct {
			name string
			to   *[]float64
		}{{name, &train.y}, {"val_" + name, &validation.y}} {
			value, ok := e.Value(s.name)
			if !ok {
				value = math.NaN()
			}
			if finite(value) {
				lowest, highest = min(lowest, value), max(highest, value)
			}
			*s.to = append(*s.to, value)
		}
	}
	d := drawing{ID: id, Title: words}
	p := newPlot("epoch", "")
	if lowest <= highest {
		lowest, highest = limits(lowest, highest)
	} else {
		lowest, highest = 0, 1
	}
	span(&p.Y, lowest, highest)
	var all []series
	var description []string
	for _, s := range []struct {
		name string
		key  key
		line series
	}{{"Training", key{"s2 dashed", "training"}, train}, {"Validation", key{"s1", "validation"}, validation}} {
		if first, last, ok := ends(s.line.y); ok {
			d.Legend = append(d.Legend, s.key)
			all = append(all, s.line)
			description = append(description, fmt.Sprintf("%s: from %s in the first epoch to %s in the last.", s.name, decimals(first), decimals(last)))
		}
	}
	if best, ok := pipeline.BestOf(history); ok {
		if value, ok := best.Value("val_" + name); ok && finite(value) {
			if err := circle(p, firstTint, 5, plotter.XYs{{X: float64(best.Epoch), Y: value}}); err != nil {
				return d, err
			}
			d.Legend = append(d.Legend, key{"s1 ring", "best epoch"})
			description = append(description, fmt.Sprintf("Best epoch, %d: %s.", best.Epoch, decimals(value)))
		}
	}
	return finish(d, p, history, all, strings.Join(description, " "))
}

// ends are the first and the last finite value.
func ends(values []float64) (first, last float64, ok bool) {
	for _, v := range values {
		if !finite(v) {
			continue
		}
		if !ok {
			first, ok = v, true
		}
		last = v
	}
	return first, last, ok
}

func epochsOf(history []pipeline.Epoch) []float64 {
	x := make([]float64, len(history))
	for i, e := range history {
		x[i] = float64(e.Epoch)
	}
	return x
}

// span rounds the range of an axis to whole ticks.
func span(axis *plot.Axis, lowest, highest float64) {
	if !(highest > lowest) {
		lowest, highest = min(lowest, 0), max(highest, 1e-12)
		if highest == lowest {
			highest = lowest + 1
		}
	}
	const n = 4
	step := stride(highest-lowest, n)
	axis.Min, axis.Max = math.Floor(lowest/step+1e-9)*step, math.Ceil(highest/step-1e-9)*step
	axis.Tick.Marker = plot.TickerFunc(func(lowest, highest float64) []plot.Tick { return ticks(lowest, highest, n+1) })
}

// finish draws lines over the epochs and marks the stages.
func finish(d drawing, p *plot.Plot, history []pipeline.Epoch, lines []series, description string) (drawing, error) {
	first, last := history[0].Epoch, history[len(history)-1].Epoch
	p.X.Min, p.X.Max = float64(first), float64(last)
	if first == last {
		p.X.Min, p.X.Max = float64(first)-0.5, float64(last)+0.5
	}
	p.X.Tick.Marker = plot.TickerFunc(wholeTicks)
	lowest, highest := p.Y.Min, p.Y.Max // adding lines would widen them
	if err := markStages(p, history); err != nil {
		return d, err
	}
	for _, line := range lines {
		if err := add(p, line); err != nil {
			return d, err
		}
	}
	p.Y.Min, p.Y.Max = lowest, highest
	var err error
	d.SVG, err = render(p, plotWidth, plotHeight, d.ID, d.Title+" over the epochs", description)
	return d, err
}

// wholeTicks are ticks at whole numbers.
func wholeTicks(lowest, highest float64) []plot.Tick {
	var whole []plot.Tick
	for _, t := range ticks(lowest, highest, 6) {
		if t.Value == math.Round(t.Value) {
			whole = append(whole, plot.Tick{Value: t.Value, Label: strconv.Itoa(int(t.Value))})
		}
	}
	return whole
}

// markStages draws the names of the stages and a line between them, if there are
// several.
func markStages(p *plot.Plot, history []pipeline.Epoch) error {
	starts := stagesOf(history)
	if len(starts) < 2 {
		return nil
	}
	var at plotter.XYs
	var names []string
	for i, s := range starts {
		x := float64(s.epoch)
		if i > 0 {
			x -= 0.5
			if err := rule(p, x, p.Y.Min, x, p.Y.Max); err != nil {
				return err
			}
		}
		at = append(at, plotter.XY{X: x, Y: p.Y.Max})
		names = append(names, shorten(s.name, 12))
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: at, Labels: names})
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		style(&labels.TextStyle[i])
		labels.TextStyle[i].XAlign, labels.TextStyle[i].YAlign = draw.XLeft, draw.YBottom
	}
	labels.Offset = vg.Point{X: 3, Y: 3}
	p.Add(labels)
	return nil
}

// stagesGrid compares the stages, if there are several.
func stagesGrid(history []pipeline.Epoch, monitor string) grid {
	g := grid{Caption: "Best epoch of each stage", Words: 2, Header: []string{"stage", "kept", "epoch", monitor, "±", "gain", "±"}}
	results := pipeline.StageResults(history, monitor, !metrics.LowerIsBetter(strings.TrimPrefix(monitor, "val_")))
	if len(results) < 2 {
		return g
	}
	for _, r := range results {
		verdict, epoch := outcome(r)
		row := []string{display(r.Stage), verdict, epoch}
		for _, v := range []float64{r.Value, r.Noise, r.Gain, r.GainNoise} {
			row = append(row, decimals(v))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// historyGrid is the history as a table, like history.csv.
func historyGrid(history []pipeline.Epoch) grid {
	g := grid{Caption: "All epochs", Words: 1, Header: []string{"epoch"}}
	stages := len(stagesOf(history)) > 1
	if stages {
		g.Header = append(g.Header, "stage")
		g.Words = 2
	}
	names := pipeline.MetricNames(history)
	g.Header = append(append(append(g.Header, "lr"), names...), "best")
	for _, e := range history {
		row := []string{strconv.Itoa(e.Epoch)}
		if stages {
			row = append(row, display(e.Stage))
		}
		row = append(row, number(e.LearningRate))
		for _, name := range names {
			value, ok := e.Value(name)
			if !ok {
				value = math.NaN()
			}
			row = append(row, decimals(value))
		}
		best := ""
		if e.Best {
			best = "best"
		}
		g.Rows = append(g.Rows, append(row, best))
	}
	return g
}
