package main

import (
	"fmt"
	"slices"
	"strings"

	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// progress shows how training and evaluation advance: a bar on a terminal, and a
// line per frozen pass and per epoch.
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
	switch e.Phase {
	case rundir.EpochPhase:
		p.epochDone(e, timing)
	case "train":
		p.draw(e, fmt.Sprintf("%s epoch %d/%d  loss %.4f  accuracy %.4f", e.Stage, e.Epoch, e.Epochs, e.Loss, e.Accuracy))
	case rundir.FeaturesPhase:
		p.draw(e, "frozen pass")
		if e.Done == e.Total {
			p.featuresDone(e, timing)
		}
	default:
		p.draw(e, e.Phase)
	}
}

func (p *progress) draw(e pipeline.Event, text string) { p.bar.Draw(e.Phase, text, e.Done, e.Total) }

// featuresDone reports a frozen pass, if it was timed.
func (p *progress) featuresDone(e pipeline.Event, timing rundir.Timing) {
	p.end()
	computed := e.Computed()
	switch {
	case timing.Phase == "":
	case e.Cached == e.Total:
		p.say("features of all %d images are cached: no frozen pass", e.Total)
	case e.Cached == 0:
		p.say("frozen pass: %d images in %.1f s, %.1f images/s; 0 were cached", computed, timing.Frozen(), timing.ImagesPerSecond())
	default:
		p.say("frozen pass: %d images in %.1f s, %.1f images/s; %d were cached and took %.1f s", computed, timing.Frozen(), timing.ImagesPerSecond(), e.Cached, timing.Seconds-timing.Frozen())
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
	p.say("%s", line.String())
}
