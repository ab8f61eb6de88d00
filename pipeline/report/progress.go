package report

import (
	"fmt"
	"slices"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// DescribeWork says what a loop is doing, and in which unit it counts.
func DescribeWork(e pipeline.Event) (text, unit string) {
	switch e.Phase {
	case "read":
		return "reading images", "images"
	case "check":
		return "checking images", "images"
	case "match":
		return "looking for what images have in common", "images"
	case "compare":
		return "looking for near duplicates", "images"
	case rundir.FeaturesPhase:
		return "frozen pass", "images"
	case "train":
		return fmt.Sprintf("%s epoch %d/%d  loss %.4f  accuracy %.4f", e.Stage, e.Epoch, e.Epochs, e.Loss, e.Accuracy), "images"
	case "measure":
		return "computing metrics", "images"
	case "illustrate":
		return "painting images for the report", "images"
	case "sweep":
		return "trying learning rates", "rates"
	case "folds":
		return "training a head for each fold", "folds"
	case "neighbours":
		return "looking for outliers", "images"
	case "tune":
		return "trying settings", "settings"
	case "curve":
		return "training heads", "heads"
	}
	return e.Phase, "images"
}

// DescribeFrozenPass is the line about a frozen pass that has ended. It is empty if
// the pass was not timed.
func DescribeFrozenPass(e pipeline.Event, timing rundir.Timing) string {
	switch {
	case timing.Phase == "":
		return ""
	case e.Cached == e.Total:
		return fmt.Sprintf("features of all %d images are cached: no frozen pass", e.Total)
	}
	line := fmt.Sprintf("frozen pass: %d images in %.1f s, %.1f images/s; %d were cached", e.Computed(), timing.Frozen(), timing.ImagesPerSecond(), e.Cached)
	if e.Cached > 0 {
		line += fmt.Sprintf(" and took %.1f s", timing.Seconds-timing.Frozen())
	}
	return line
}

// DescribeEpoch is the line about an epoch that has ended. monitor is the metric
// that selects the best epoch, if it is known.
func DescribeEpoch(e pipeline.Event, timing rundir.Timing, monitor string) string {
	var line strings.Builder
	fmt.Fprintf(&line, "%s epoch %d/%d", e.Stage, e.Epoch, e.Epochs)
	names := []string{"loss", "accuracy", "val_loss", "val_accuracy"}
	if !slices.Contains(names, monitor) {
		names = append(names, monitor)
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
	return line.String()
}
