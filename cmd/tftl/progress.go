package main

import (
	"fmt"
	"slices"
	"strings"

	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// progress shows how long work advances: a bar on a terminal, a line now and then
// elsewhere, and a line per frozen pass and per epoch.
type progress struct {
	terminal
	bar     *ui.Bar
	monitor string // the metric that selects the best epoch, if it is known
}

func newProgress(t terminal) *progress { return &progress{terminal: t, bar: ui.NewBar(t.Terminal)} }

// end removes the bar.
func (p *progress) end() { p.bar.End() }

// show is the Show function of a workflow.Env.
func (p *progress) show(e pipeline.Event, timing rundir.Timing) {
	if e.Phase == rundir.EpochPhase {
		p.epochDone(e, timing)
		return
	}
	work := ui.Work{Phase: e.Phase, Text: e.Phase, Unit: "images", Done: e.Done, Computed: e.Computed(), Total: e.Total}
	switch e.Phase {
	case "read":
		work.Text = "reading images"
	case "check":
		work.Text = "checking images"
	case "compare":
		work.Text = "looking for near duplicates"
	case "train":
		work.Text = fmt.Sprintf("%s epoch %d/%d  loss %.4f  accuracy %.4f", e.Stage, e.Epoch, e.Epochs, e.Loss, e.Accuracy)
	case "measure":
		work.Text = "computing metrics"
	case "illustrate":
		work.Text = "painting images for the report"
	case "sweep":
		work.Text, work.Unit = "trying learning rates", "rates"
	case "tune":
		work.Text, work.Unit = "trying settings", "settings"
	case rundir.FeaturesPhase:
		work.Text = "frozen pass"
	}
	if e.Run == "" || e.Phase == rundir.FeaturesPhase { // runs trained at the same time would take the bar from each other
		work.Text = of(e.Run, work.Text)
		p.bar.Draw(work)
	}
	if e.Phase == rundir.FeaturesPhase && e.Done == e.Total {
		p.featuresDone(e, timing)
	}
}

// of says which run a line is about, if several are trained at the same time.
func of(run, line string) string {
	if run == "" {
		return line
	}
	return run + ": " + line
}

// featuresDone reports a frozen pass, if it was timed.
func (p *progress) featuresDone(e pipeline.Event, timing rundir.Timing) {
	p.end()
	computed := e.Computed()
	switch {
	case timing.Phase == "":
	case e.Cached == e.Total:
		p.say("%s", of(e.Run, fmt.Sprintf("features of all %d images are cached: no frozen pass", e.Total)))
	default:
		line := fmt.Sprintf("frozen pass: %d images in %.1f s, %.1f images/s; %d were cached", computed, timing.Frozen(), timing.ImagesPerSecond(), e.Cached)
		if e.Cached > 0 {
			line += fmt.Sprintf(" and took %.1f s", timing.Seconds-timing.Frozen())
		}
		p.say("%s", of(e.Run, line))
	}
}

func (p *progress) epochDone(e pipeline.Event, timing rundir.Timing) {
	p.end()
	var line strings.Builder
	fmt.Fprintf(&line, "%s epoch %d/%d", e.Stage, e.Epoch, e.Epochs)
	names := []string{"loss", "accuracy", "val_loss", "val_accuracy"}
	if !slices.Contains(names, p.monitor) {
		names = append(names, p.monitor)
	}
	for _, name := range names {
		if value, ok := e.Record.Value(name); ok {
			fmt.Fprintf(&line, "  %s %.4f", name, value)
		}
	}
	if gain, ok := e.Record.Value("val_gain"); ok {
		noise, _ := e.Record.Value("val_gain_se")
		fmt.Fprintf(&line, "  gain %.4f ± %.4f", gain, noise)
	}
	if speed := timing.ImagesPerSecond(); speed > 0 { // a resumed epoch may only have been validated
		fmt.Fprintf(&line, "  %.0f images/s", speed)
	}
	if e.Record.Best {
		line.WriteString("  best")
	}
	p.say("%s", of(e.Run, line.String()))
}
