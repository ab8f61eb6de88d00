package main

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
)

// progress shows a loop's events: a bar on a terminal, a line an epoch
// elsewhere. It also times them, into the run's timing.jsonl.
type progress struct {
	terminal
	run     rundir.Dir // zero where nothing is timed
	bar     *progressbar.ProgressBar
	phase   string
	last    time.Time // of the event before
	seconds map[string]float64
	trained int // samples of the epoch
}

func newProgress(t terminal, run rundir.Dir) *progress {
	return &progress{terminal: t, run: run, last: time.Now(), seconds: map[string]float64{}}
}

// start begins timing anew: what came before was no part of the loop.
func (p *progress) start() { p.last = time.Now() }

// event is a pipeline.Progress.
func (p *progress) event(e pipeline.Event) {
	now := time.Now()
	p.seconds[e.Phase] += now.Sub(p.last).Seconds()
	p.last = now
	switch e.Phase {
	case "epoch":
		p.epochDone(e)
	case "train":
		p.trained = e.Done
		p.draw(e, fmt.Sprintf("%s epoch %d/%d  loss %.4f  accuracy %.4f", e.Stage, e.Epoch, e.Epochs, e.Loss, e.Accuracy))
	case "features":
		p.draw(e, "frozen pass")
	default:
		p.draw(e, e.Phase)
	}
}

// draw moves the bar, and begins a new one with a phase.
func (p *progress) draw(e pipeline.Event, text string) {
	if !p.live || p.quiet {
		return
	}
	if p.bar == nil || p.phase != e.Phase {
		p.end()
		p.phase = e.Phase
		p.bar = progressbar.NewOptions(e.Total, progressbar.OptionSetWriter(p.err), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(20), progressbar.OptionThrottle(100*time.Millisecond))
	}
	p.bar.Describe(text)
	_ = p.bar.Set(e.Done)
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar, p.phase = nil, ""
	}
}

// featuresDone says what the frozen pass came to.
func (p *progress) featuresDone(e pipeline.Event) {
	p.end()
	seconds := p.seconds["features"]
	computed := e.Total - e.Cached
	if computed == 0 {
		p.say("features of all %d images are cached: no frozen pass", e.Total)
	} else {
		p.say("frozen pass: %d images in %.1f s, %.1f images/s; %d were cached", computed, seconds, float64(computed)/seconds, e.Cached)
	}
	p.time(map[string]any{"phase": "features", "stage": e.Stage, "images": e.Total, "cached": e.Cached, "seconds": seconds})
	p.reset()
}

func (p *progress) epochDone(e pipeline.Event) {
	p.end()
	var line strings.Builder
	fmt.Fprintf(&line, "%s epoch %d/%d", e.Stage, e.Epoch, e.Epochs)
	for _, name := range []string{"loss", "accuracy", "val_loss", "val_accuracy"} {
		if value, ok := e.Record.Value(name); ok {
			fmt.Fprintf(&line, "  %s %.4f", name, value)
		}
	}
	speed := float64(p.trained) / p.seconds["train"]
	if p.seconds["train"] > 0 { // none, where a resumed epoch only had to be validated
		fmt.Fprintf(&line, "  %.0f images/s", speed)
	}
	if e.Record.Best {
		line.WriteString("  best")
	}
	p.say("%s", line.String())
	p.time(map[string]any{
		"phase": "epoch", "stage": e.Stage, "epoch": e.Record.Epoch, "images": p.trained,
		"train": p.seconds["train"], "validate": p.seconds["validate"], "checkpoint": p.seconds["epoch"],
	})
	p.watch(e.Record, speed)
	p.reset()
}

// watch adds an epoch to what TensorBoard shows. As time, it ends no run.
func (p *progress) watch(e pipeline.Epoch, imagesPerSecond float64) {
	var speed []pipeline.Metric
	if !math.IsNaN(imagesPerSecond) {
		speed = append(speed, pipeline.Metric{Name: "images_per_second", Value: imagesPerSecond})
	}
	if err := errors.Join(p.run.EpochScalars(e), p.run.Scalars("train", e.Epoch, speed)); err != nil {
		p.warn("%v", err)
	}
}

func (p *progress) reset() {
	clear(p.seconds)
	p.last = time.Now()
}

// time writes a line of timing.jsonl. It is for people: a disk that has no
// room for it ends no run.
func (p *progress) time(line map[string]any) {
	if p.run.Path == "" {
		return
	}
	if err := p.run.Append("timing.jsonl", line); err != nil {
		p.warn("%v", err)
	}
}

// describe says what the data was taken for.
func (t terminal) describe(set *dataset.Set) {
	t.say("%s", set.Description)
	if len(set.NoImages) > 0 {
		t.say("left out, for they are no images: %v", set.NoImages)
	}
	for _, warning := range set.Warnings {
		t.warn("%s", warning)
	}
}
