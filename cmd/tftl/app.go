package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// The exit codes, as --help lists them.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitData        = 3
	exitModel       = 4
	exitGate        = 5
	exitDiverged    = 6
	exitInterrupted = 130
)

const description = `Trains the head of a pretrained network on folders of photographs, evaluates it,
and leaves a SavedModel that TensorFlow Serving, Python and Go load.

   tftl fit --data photos --model savedmodels/vgg16 --output runs/first
   tftl evaluate --model runs/first
   tftl predict --model runs/first cat.jpg

Every flag can be set in the environment too: --batch-size is TFTL_BATCH_SIZE.

EXIT CODES:
   0 done          3 bad data     6 training diverged
   1 failed        4 bad model    130 interrupted
   2 usage         5 a metric gate failed`

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:                      "tftl",
		Usage:                     "transfer learning for image classification",
		Description:               description,
		Version:                   version,
		HideVersion:               true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true, // a stage's options have commas of their own
		Commands: []*cli.Command{
			newFitCommand(), newEvaluateCommand(), newReportCommand(), newCompareCommand(), newRunCommand(), newPredictCommand(), newLRFindCommand(),
			newPreviewCommand(), newInspectCommand(), newSplitCommand(), newVersionCommand(),
		},
		Writer:         stdout,
		ErrWriter:      stderr,
		OnUsageError:   usageError,
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "unknown command %q", c.Args().First()), "tftl --help lists the commands")
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, command := range app.Commands {
		command.OnUsageError = usageError
		command.Before = fromConfig
		for _, f := range command.Flags {
			fromEnvironment(f)
		}
	}
	fitHelp(app)
	err := app.RunContext(ctx, flagsFirst(app.Commands, args))
	if err == nil {
		return 0
	}
	return printError(stderr, err)
}

// printError writes one error the way a person reads it, in one line with perhaps
// a hint below it, and returns its exit code.
func printError(w io.Writer, err error) int {
	text := printable.Text(oneLine(pipeline.ErrorText(err, flag)))
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(w, "tftl: %s\n", strings.ReplaceAll(text, context.Canceled.Error(), "interrupted"))
		return exitInterrupted
	}
	fmt.Fprintf(w, "tftl: %s\n", text)
	hint := pipeline.HintOf(err).Text(flag)
	if errors.As(err, new(*dataset.LayoutError)) {
		hint += ", or say with --layout whether they are parts or classes"
	}
	if hint != "" {
		fmt.Fprintf(w, "hint: %s\n", printable.Text(hint))
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
	}
	return exitFailed
}

// flag is an option as the command line has it.
func flag(o pipeline.Option) string { return "--" + o.String() }

// fromEnvironment lets a flag be set as TFTL_NAME.
func fromEnvironment(f cli.Flag) {
	if s, ok := f.(*cli.StringFlag); ok && s.EnvVars != nil {
		return // one of its own: evaluate's --output is not fit's
	}
	names := variables(f)
	switch f := f.(type) {
	case *cli.StringFlag:
		f.EnvVars = names
	case *cli.IntFlag:
		f.EnvVars = names
	case *cli.Uint64Flag:
		f.EnvVars = names
	case *cli.Float64Flag:
		f.EnvVars = names
	case *cli.BoolFlag:
		f.EnvVars = names
	case *cli.DurationFlag:
		f.EnvVars = names
	case *cli.StringSliceFlag:
		f.EnvVars = names
	}
}

// variables are what a flag may be set as in the environment, unless it says so itself.
func variables(f cli.Flag) []string {
	return []string{"TFTL_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))}
}

// flagsFirst moves a command's flags before its arguments, for the library
// takes what follows the first argument for arguments: `tftl predict a.jpg
// --json` is what people type. Nothing is moved past "--".
func flagsFirst(commands []*cli.Command, args []string) []string {
	if len(args) < 2 {
		return args
	}
	var command *cli.Command
	for _, c := range commands {
		if c.HasName(args[1]) {
			command = c
		}
	}
	if command == nil {
		return args
	}
	takesValue := map[string]bool{}
	for _, f := range command.Flags {
		_, isBool := f.(*cli.BoolFlag)
		for _, name := range f.Names() {
			takesValue[name] = !isBool
		}
	}
	flags, rest := append([]string(nil), args[:2]...), []string(nil)
	for i := 2; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case !strings.HasPrefix(arg, "-") || arg == "-":
			rest = append(rest, arg)
		default:
			flags = append(flags, arg)
			name := strings.TrimLeft(arg, "-")
			if takesValue[name] && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	if len(rest) == 0 {
		return flags
	}
	return append(append(flags, "--"), rest...)
}
