package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/internal/launch"
	"tftl/internal/printable"
	"tftl/internal/quiet"
	"tftl/internal/ui"
	"tftl/pipeline"
)

// The exit codes; exitCodes says what they mean.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitData        = 3
	exitModel       = 4
	exitGate        = 5
	exitDiverged    = 6
	exitInterrupted = 130
	exitPeerLost    = launch.PeerLost
)

const description = `Trains an image classifier on your own images. A pretrained network, exported from
Keras by tftl-export, gets a new head; the result is a SavedModel that TensorFlow
Serving, Python and Go can load.

   tftl fit --data photos --model savedmodels/vgg16 --output runs/first
   tftl evaluate --model runs/first
   tftl predict --model runs/first cat.jpg`

const aboutVariables = `Environment variables set flags too: TFTL_BATCH_SIZE sets --batch-size. There are none
for --output, --config, the --top-k of predict and merge, and lr-find's --stage,
because these mean different things in different commands.`

// exitCodes are the rows of a table for people.
func exitCodes() []commandline.Entry {
	return []commandline.Entry{
		{Term: "0", Text: "done"},
		{Term: fmt.Sprint(exitFailed), Text: "failed, for any other reason"},
		{Term: fmt.Sprint(exitUsage), Text: "bad usage"},
		{Term: fmt.Sprint(exitData), Text: "bad data"},
		{Term: fmt.Sprint(exitModel), Text: "bad model"},
		{Term: fmt.Sprint(exitGate), Text: "a metric missed its gate"},
		{Term: fmt.Sprint(exitDiverged), Text: "training diverged"},
		{Term: fmt.Sprint(exitInterrupted), Text: "interrupted"},
		{Term: fmt.Sprint(exitPeerLost), Text: "a process of the cluster was lost; start all again to go on"},
	}
}

func commands() []*cli.Command {
	return []*cli.Command{
		newFitCommand(), newEvaluateCommand(), newReportCommand(), newCompareCommand(), newRunCommand(), newPredictCommand(),
		newMergeCommand(), newLaunchCommand(), newLRFindCommand(), newCurveCommand(), newPreviewCommand(), newCalibrateCommand(),
		newInspectCommand(), newAuditCommand(), newSplitCommand(),
		newDoctorCommand(), newVersionCommand(),
		newCompletionCommand(), newManCommand(),
	}
}

// newApp is the program with some commands.
func newApp(list []*cli.Command, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "tftl",
		Usage:                     "transfer learning for image classification",
		Description:               description + "\n\n" + aboutVariables + "\n\nEXIT CODES:\n" + commandline.Table(exitCodes()),
		Version:                   version,
		HideVersion:               true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true, // the value of --stage contains commas
		Commands:                  list,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "unknown command %q", c.Args().First()), "tftl --help lists the commands")
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, command := range app.Commands {
		command.OnUsageError, command.Before = usageError, prepare
	}
	commandline.FitHelp(app)
	return app
}

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := &ui.Written{Writer: stdout}
	app := newApp(commands(), out, stderr)
	err := app.RunContext(ctx, commandline.FlagsFirst(app.Commands, args))
	if err == nil {
		err = cmp.Or(out.Err, ctx.Err()) // what had ended before it was interrupted too, so that a script stops
	}
	if err == nil {
		return 0
	}
	code := printError(stderr, err)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return code
}

// crashHint is the second line if the program crashes.
func crashHint(args []string) string {
	command := []rune(printable.Text(strings.Join(args[1:], " ")))
	if len(command) > 200 {
		command = append(command[:200], '…')
	}
	return fmt.Sprintf("hint: report this with the version (%s) and the command (tftl %s); GOTRACEBACK=all shows where it happened", printable.Text(version), string(command))
}

// prepare completes a command's flags from the environment and from --config.
func prepare(c *cli.Context) error {
	warnings, err := commandline.Prepare(c)
	for _, warning := range warnings {
		newTerminal(c).warn("%s", warning)
	}
	if err != nil {
		return pipeline.Errorf(pipeline.BadUsage, "%w", err)
	}
	if c.Bool("verbose") {
		quiet.Off()
	}
	return nil
}

// usageError rewords a mistake on the command line and adds a hint.
func usageError(c *cli.Context, err error, _ bool) error {
	hint, err := commandline.Explain(c, err)
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "%w", err), "%s", hint)
}

// printError writes an error on one line, with its hint on the next, and returns
// the exit code.
func printError(w io.Writer, err error) int {
	text := printable.Text(ui.OneLine(pipeline.ErrorText(err, flag)))
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(w, "tftl: %s\n", strings.ReplaceAll(text, context.Canceled.Error(), "interrupted"))
		return exitInterrupted
	}
	fmt.Fprintf(w, "tftl: %s\n", text)
	if hint := pipeline.HintOf(err).Text(flag); hint != "" {
		fmt.Fprintf(w, "hint: %s\n", printable.Text(hint))
	}
	var task *launch.Failure
	if errors.As(err, &task) {
		return task.Code
	}
	switch pipeline.KindOf(err) {
	case pipeline.BadUsage:
		return exitUsage
	case pipeline.BadData:
		return exitData
	case pipeline.BadModel:
		return exitModel
	case pipeline.GateFailed:
		return exitGate
	case pipeline.Diverged:
		return exitDiverged
	case pipeline.PeerLost:
		return exitPeerLost
	}
	return exitFailed
}
