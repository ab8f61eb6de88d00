package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/runfile"
)

// decided are the options of a command that a batch decides, or that are tftl
// run's own. A run is measured on its test part, by its model, as it was trained.
func decided(command string) []string {
	all := []string{"config", "json", "log-file", "output", "quiet", "verbose"}
	if command == "fit" {
		return append(all, "max-time", "overwrite", "resume") // what is done is not to hang on the time that there was
	}
	return append(all, "common-classes", "data", "device", "junit", "labels", "model", "precision", "rescale", "subset", "summary", "threads")
}

// withOptions gives read a command's options as a batch says them: those and
// no others, checked by the code that checks its command line. The environment
// says what the batch does not.
func withOptions(ctx context.Context, file runfile.File, at runfile.Position, command *cli.Command, options []runfile.Option, read func(*cli.Context) error) error {
	not := decided(command.Name)
	said := func(name string) bool {
		return slices.ContainsFunc(options, func(o runfile.Option) bool { return o.Name == name })
	}
	for _, f := range command.Flags {
		if name := f.Names()[0]; !said(name) && !slices.Contains(not, name) {
			fromEnvironment(f)
		}
	}
	command.OnUsageError = usageError
	command.Action = func(c *cli.Context) error {
		for _, o := range options {
			if slices.Contains(not, o.Name) {
				return file.At(o.At, pipeline.Errorf(pipeline.BadUsage, "%s: tftl run decides it for tftl %s", o.Name, command.Name))
			}
			if err := isOption(c, o.Name); err != nil {
				return file.At(o.At, pipeline.Errorf(pipeline.BadUsage, "%w", err))
			}
			if err := setFlag(c, nil, o.Name, o.Value); err != nil {
				return file.At(o.ValueAt(), pipeline.Errorf(pipeline.BadUsage, "%w", err))
			}
		}
		if err := read(c); err != nil {
			return file.At(placeOf(err, options, at), err)
		}
		return nil
	}
	app := &cli.App{
		Commands: []*cli.Command{command}, Writer: io.Discard, ErrWriter: io.Discard,
		DisableSliceFlagSeparator: true, ExitErrHandler: func(*cli.Context, error) {},
	}
	return app.RunContext(ctx, []string{"tftl", command.Name})
}

// placeOf is where the value is that an error is about, which begins with its
// option's name, as a flag or as a word. One that speaks of none is elsewhere.
func placeOf(err error, options []runfile.Option, elsewhere runfile.Position) runfile.Position {
	place, longest := elsewhere, ""
	for _, o := range options {
		word := strings.TrimPrefix(err.Error(), "--")
		if strings.HasPrefix(word, o.Name) && len(o.Name) > len(longest) {
			place, longest = o.ValueAt(), o.Name
		}
	}
	return place
}
