package ui

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// Bar is a progress bar. It draws nothing if stderr is not a terminal, or if the
// Terminal is quiet.
type Bar struct {
	terminal Terminal
	bar      *progressbar.ProgressBar // nil while none is drawn
	phase    string
	done     int
	total    int
}

// NewBar returns a bar that is not drawn yet.
func NewBar(t Terminal) *Bar { return &Bar{terminal: t} }

// Draw moves the bar to done of total images. A new phase starts a new bar.
func (b *Bar) Draw(phase, text string, done, total int) {
	if !b.terminal.live || b.terminal.Quiet {
		return
	}
	if b.bar == nil || b.phase != phase || b.total != total || done < b.done { // another loop may have the same phase
		b.End()
		b.phase, b.total = phase, total
		b.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(b.terminal.Err), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(20), progressbar.OptionThrottle(100*time.Millisecond))
	}
	b.bar.Describe(text)
	b.done = done
	_ = b.bar.Set(done)
}

// End removes the bar.
func (b *Bar) End() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar, b.phase = nil, ""
	}
}
