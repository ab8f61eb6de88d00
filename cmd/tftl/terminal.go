package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"tftl/internal/ui"
	"tftl/pipeline"
)

// terminal is where a command writes. Its methods are shared by the commands.
type terminal struct{ ui.Terminal }

func newTerminal(c *cli.Context) terminal {
	return terminal{ui.NewTerminal(c.App.Writer, c.App.ErrWriter, c.Bool("quiet"))}
}

// say prints a message. Options in args, also within errors and messages of the
// library, are spelled as on the command line.
func (t terminal) say(format string, args ...any) { t.Say("%s", spelled(format, args)) }

// warn prints a warning, spelled like a message.
func (t terminal) warn(format string, args ...any) { t.Warn("%s", spelled(format, args)) }

// fault prints an error that does not end the command, spelled like a message.
func (t terminal) fault(err error) { t.Fault("%s", ui.OneLine(pipeline.ErrorText(err, flag))) }

func spelled(format string, args []any) string { return pipeline.Messagef(format, args...).Text(flag) }

// withLog opens --log-file; an empty path means no file.
func (t terminal) withLog(path string) (terminal, error) {
	logged, err := t.WithLog(path)
	if err != nil {
		return t, pipeline.Errorf(pipeline.BadUsage, "%s: %w", pipeline.Option("log-file"), err)
	}
	return terminal{logged}, nil
}

// closeLog logs the command's error, closes the log and returns the error.
func (t terminal) closeLog(err error) error {
	last := ""
	if err != nil {
		last = ui.OneLine(pipeline.ErrorText(err, flag))
	}
	return errors.Join(err, t.CloseLog(last))
}
