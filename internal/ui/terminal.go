// Package ui writes to the person at the terminal and to other programs:
// messages and warnings, a log file, a progress bar, JSON.
//
// It knows nothing about images or models.
package ui

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/term"

	"tftl/internal/printable"
)

// Terminal is where a command writes: results to Out, everything else to Err.
type Terminal struct {
	Out, Err io.Writer
	Quiet    bool        // hide messages and the progress bar, but not warnings
	live     bool        // Err is a terminal, so a progress bar can be drawn
	mu       *sync.Mutex // one message at a time
	file     *os.File
	logged   *Written     // writes to file
	log      *slog.Logger // writes to logged; all three are nil without a log file
}

// Written keeps the first error of writing, for callers that drop it, such as those
// who print help or log lines.
type Written struct {
	io.Writer
	Err error
}

// Write is the io.Writer.
func (w *Written) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if w.Err == nil {
		w.Err = err
	}
	return n, err
}

// NewTerminal returns a Terminal without a log file.
func NewTerminal(out, err io.Writer, quiet bool) Terminal {
	return Terminal{Out: out, Err: err, Quiet: quiet, live: isTerminal(err), mu: new(sync.Mutex)}
}

// ShowsResults reports whether a person sees results as they are written.
func (t Terminal) ShowsResults() bool { return isTerminal(t.Out) }

func isTerminal(w io.Writer) bool {
	if written, ok := w.(*Written); ok {
		w = written.Writer
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Say prints a message, unless the terminal is quiet.
func (t Terminal) Say(format string, args ...any) {
	text := printable.Text(fmt.Sprintf(format, args...))
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.Quiet {
		fmt.Fprintln(t.Err, text)
	}
	if t.log != nil {
		t.log.Info(text)
	}
}

// Warn prints a warning, even on a quiet terminal.
func (t Terminal) Warn(format string, args ...any) {
	text := printable.Text(fmt.Sprintf(format, args...))
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.Err, "tftl: warning: "+text)
	if t.log != nil {
		t.log.Warn(text)
	}
}

// Fault prints an error that does not end the command.
func (t Terminal) Fault(format string, args ...any) {
	text := printable.Text(fmt.Sprintf(format, args...))
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.Err, "tftl: error: "+text)
	if t.log != nil {
		t.log.Error(text)
	}
}

// WithLog also appends every message and warning to a file, even on a quiet
// terminal. An empty path means no file.
func (t Terminal) WithLog(path string) (Terminal, error) {
	if path == "" {
		return t, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return t, err
	}
	t.file, t.logged = file, &Written{Writer: file}
	t.log = slog.New(slog.NewTextHandler(t.logged, nil))
	return t, nil
}

// CloseLog closes the log file. last is the error that ended the command, if any,
// which is logged first. It returns an error if a message could not be logged.
func (t Terminal) CloseLog(last string) error {
	if t.file == nil {
		return nil
	}
	if last != "" {
		t.log.Error(last)
	}
	return errors.Join(t.logged.Err, t.file.Close())
}
