package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"tftl/internal/printable"
	"tftl/pipeline"
)

// terminal is where a command writes: results to out, all else to err.
type terminal struct {
	out, err io.Writer
	quiet    bool
	live     bool         // err is a terminal: a progress bar may be drawn
	log      *slog.Logger // of --log-file, or nil
	file     *os.File     // likewise
}

func newTerminal(c *cli.Context) terminal {
	t := terminal{out: c.App.Writer, err: c.App.ErrWriter, quiet: c.Bool("quiet")}
	if f, ok := t.err.(*os.File); ok {
		t.live = term.IsTerminal(int(f.Fd()))
	}
	return t
}

// say writes a line for the person who watches.
func (t terminal) say(format string, args ...any) {
	text := printable.Text(fmt.Sprintf(format, args...))
	if !t.quiet {
		fmt.Fprintln(t.err, text)
	}
	if t.log != nil {
		t.log.Info(text)
	}
}

// warn is said with --quiet too.
func (t terminal) warn(format string, args ...any) {
	text := printable.Text(fmt.Sprintf(format, args...))
	fmt.Fprintln(t.err, "tftl: warning: "+text)
	if t.log != nil {
		t.log.Warn(text)
	}
}

// withLog writes what is said to a file too, behind what it has already and
// with --quiet as well. An empty path is no file.
func (t terminal) withLog(path string) (terminal, error) {
	if path == "" {
		return t, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return t, pipeline.Errorf(pipeline.BadUsage, "--log-file: %w", err)
	}
	t.file, t.log = file, slog.New(slog.NewTextHandler(file, nil))
	return t, nil
}

// closeLog ends the log with the command's error, which it hands on.
func (t terminal) closeLog(err error) error {
	if t.file == nil {
		return err
	}
	if err != nil {
		t.log.Error(err.Error())
	}
	return errors.Join(err, t.file.Close())
}
