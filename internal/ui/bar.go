package ui

import (
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Bar shows the progress of long work: as a bar on a terminal, and elsewhere as a
// line now and then. It shows nothing if the Terminal is quiet. It is safe for
// concurrent use.
type Bar struct {
	terminal Terminal
	mu       sync.Mutex
	bar      *progressbar.ProgressBar // nil while none is drawn
	work     Work                     // as drawn last
	pace     pace
	stop     chan struct{} // closed to end the lines; nil while there are none
}

// NewBar returns a bar that is not drawn yet.
func NewBar(t Terminal) *Bar { return &Bar{terminal: t} }

// Draw shows how far the work is. Another phase or total starts a new bar.
func (b *Bar) Draw(w Work) {
	if b.terminal.Quiet {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.work.Phase != w.Phase || b.work.Total != w.Total || w.Done < b.work.Done { // another loop may have the same phase
		b.remove()
		b.pace = pace{began: time.Now(), since: time.Now(), was: w}
	}
	b.work = w
	switch {
	case b.terminal.live:
		b.draw()
	case b.stop == nil:
		b.stop = make(chan struct{})
		go b.lines(b.stop)
	}
}

func (b *Bar) draw() {
	if b.bar == nil {
		total := b.work.Total
		if total == 0 {
			total = -1 // unknown
		}
		b.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(b.terminal.Err), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString(b.work.Unit), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(20), progressbar.OptionThrottle(100*time.Millisecond))
	}
	b.bar.Describe(b.work.Text)
	_ = b.bar.Set(b.work.Done)
}

// lineEvery is the longest that work is silent where no bar can be drawn.
const lineEvery = 30 * time.Second

func (b *Bar) lines(stop chan struct{}) {
	ticker := time.NewTicker(lineEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-stop:
			return
		}
		b.mu.Lock()
		if b.stop == stop {
			if line := b.pace.line(b.work, time.Now()); line != "" {
				b.terminal.Say("%s", line)
			}
		}
		b.mu.Unlock()
	}
}

// Clear makes room for a message. The work goes on: the next Draw shows the bar
// again.
func (b *Bar) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}

func (b *Bar) remove() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
	b.bar = nil
}

// End ends the work that was drawn. The next line is due its full time later.
func (b *Bar) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove()
	b.work = Work{}
	if b.stop != nil {
		close(b.stop)
		b.stop = nil
	}
}
