package main

import (
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/pipeline/report"
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

// warn and fault print where the bar is. The work goes on, and then the bar.
func (p *progress) warn(format string, args ...any) {
	p.bar.Clear()
	p.terminal.warn(format, args...)
}

func (p *progress) fault(err error) {
	p.bar.Clear()
	p.terminal.fault(err)
}

// show is the Show function of a workflow.Env.
func (p *progress) show(e pipeline.Event, timing rundir.Timing) {
	if e.Phase == rundir.EpochPhase {
		p.ended(e.Run, report.DescribeEpoch(e, timing, p.monitor))
		return
	}
	if e.Run == "" || e.Phase == rundir.FeaturesPhase { // runs trained at the same time would take the bar from each other
		text, unit := report.DescribeWork(e)
		p.bar.Draw(ui.Work{Phase: e.Phase, Text: of(e.Run, text), Unit: unit, Done: e.Done, Computed: e.Computed(), Total: e.Total})
	}
	if e.Phase == rundir.FeaturesPhase && e.Done == e.Total {
		p.ended(e.Run, report.DescribeFrozenPass(e, timing))
	}
}

// ended removes the bar, and prints the line about what has ended, if there is one.
func (p *progress) ended(run, line string) {
	p.end()
	if line != "" {
		p.say("%s", of(run, line))
	}
}

// of says which run a line is about, if several are trained at the same time.
func of(run, line string) string {
	if run == "" {
		return line
	}
	return run + ": " + line
}
