package ui

import (
	"fmt"
	"strings"
	"time"
)

// Work is how far long work is.
type Work struct {
	Phase    string // identifies the work
	Text     string // describes it: "frozen pass"
	Unit     string // what is counted: "images"
	Done     int
	Computed int // of Done, what took time: not what was cached
	Total    int // 0 if it is unknown
}

// pace measures the speed of work between lines.
type pace struct {
	began time.Time // the work
	since time.Time // of the previous line
	was   Work      // then
}

// line describes the work since the previous line: "frozen pass: 120 of 500
// images, 15.4 images/s, 25 s left". It is empty if work without a known end, such
// as a list that somebody writes, stands still.
func (p *pace) line(w Work, now time.Time) string {
	seconds := now.Sub(p.since).Seconds()
	done, computed := float64(w.Done-p.was.Done), float64(w.Computed-p.was.Computed)
	p.since, p.was = now, w
	var b strings.Builder
	b.WriteString(w.Text + ": ")
	switch {
	case w.Total > 0:
		fmt.Fprintf(&b, "%d of %d %s", w.Done, w.Total, w.Unit)
	case w.Done == 0:
		return b.String() + duration(now.Sub(p.began)) + " so far"
	case done == 0:
		return ""
	default:
		fmt.Fprintf(&b, "%d %s", w.Done, w.Unit)
	}
	if computed > 0 {
		fmt.Fprintf(&b, ", %s %s/s", rate(computed/seconds), w.Unit)
	}
	if left := w.Total - w.Done; done > 0 && left > 0 {
		fmt.Fprintf(&b, ", %s left", duration(time.Duration(float64(left)/done*seconds*float64(time.Second))))
	}
	return b.String()
}

// rate has three digits if it can.
func rate(r float64) string {
	switch {
	case r >= 100:
		return fmt.Sprintf("%.0f", r)
	case r >= 1:
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.2g", r)
}

// duration is about as exact as a guess may be: "40 s", "12 min", "3 h 20 min".
func duration(d time.Duration) string {
	minutes := int(d.Round(time.Minute).Minutes())
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}
