package main

import (
	"io"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline"
)

// newManCommand is hidden: packages run it, and people read what it printed.
func newManCommand() *cli.Command {
	return &cli.Command{
		Name:   "man",
		Usage:  "print the manual page tftl(1)",
		Hidden: true,
		Description: `Prints the manual page in roff. It has the date SOURCE_DATE_EPOCH, or none.

   tftl man >tftl.1 && man ./tftl.1`,
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			date, err := sourceDate()
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.App.Writer, newManual(date).Page(c.App))
			return err
		},
	}
}

// sourceDate is the day of SOURCE_DATE_EPOCH, which builders set so that a build
// repeats. It is empty without.
func sourceDate() (string, error) {
	const variable = "SOURCE_DATE_EPOCH"
	text := os.Getenv(variable)
	if text == "" {
		return "", nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || seconds > 253402300799 { // the end of the year 9999
		return "", pipeline.Errorf(pipeline.BadUsage, "%s %q: must be seconds since 1970", variable, text)
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
}

func newManual(date string) commandline.Manual {
	return commandline.Manual{
		Date: date, Description: description, ExitStatus: exitCodes(),
		AboutVariables: aboutVariables,
		Variables: []commandline.Entry{
			{Term: "TFTL_OPTION", Text: "sets the flag of that name, unless it is given on the command line: in capitals, with _ for each dash"},
			{Term: "XDG_CACHE_HOME", Text: "the user's cache folder; ~/.cache if unset"},
			{Term: "CUDA_VISIBLE_DEVICES", Text: "the GPUs that TensorFlow may use"},
			{Term: "TF_ENABLE_ONEDNN_OPTS", Text: "0 turns TensorFlow's oneDNN kernels off"},
			{Term: "GOTRACEBACK", Text: "after a crash, all shows where it happened, and crash leaves a core dump"},
			{Term: "SOURCE_DATE_EPOCH", Text: "the date of this page, in seconds since 1970"},
		},
		Files: []commandline.Entry{
			{Term: "runs/NAME-N", Text: "the folder of a run, named after its data, unless --output names another"},
			{Term: "~/.cache/tftl/features", Text: "the feature cache, unless --cache-dir names another folder; what is missing there is computed again"},
		},
		SeeAlso: "tftl COMMAND --help shows what this page says about one command. The pages in docs/, beside the sources, explain the rest.",
	}
}
