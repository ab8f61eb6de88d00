package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	stdflag "flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline"
	"tftl/pipeline/runfile"
	"tftl/pipeline/workflow/batch"
)

// decided are the options of a command that a file of runs cannot set, because
// tftl run sets them or has its own. A run is evaluated on its test part, by its
// model, on the device and in the precision of its training.
func decided(command string) []string {
	all := []string{"config", "json", "log-file", "output", "quiet", "verbose", "verify"}
	if command == "fit" {
		return append(all, "max-time", "overwrite", "resume") // results must not depend on speed
	}
	return append(all, "common-classes", "data", "device", "gpu-memory", "junit", "labels", "model", "precision", "model-output", "part", "rescale", "subset", "summary", "threads", "trust-model")
}

// newRuns turns the runs of a file into requests.
func newRuns(file runfile.File, output string) ([]batch.Run, error) {
	var runs []batch.Run
	for _, from := range file.Runs {
		place := func(err error) error { return file.At(placeOf(err, from), inFile(err)) }
		run := batch.Run{Name: from.Name, Group: from.Group, Folds: from.Folds, Seed: from.Seed, Place: place}
		folder := filepath.Join(output, filepath.FromSlash(from.Name))
		c, err := withOptions(file, &cli.Command{Name: "fit", Flags: fitFlags()}, from.Fit, "output", folder)
		if err != nil {
			return nil, err
		}
		fit, err := newFitRequest(c)
		if err != nil {
			return nil, place(err)
		}
		run.Train = fit.Request
		if c, err = withOptions(file, &cli.Command{Name: "evaluate", Flags: evaluateFlags()}, from.Evaluate, "model", folder); err != nil {
			return nil, err
		}
		evaluate, err := newEvaluateRequest(c)
		if err != nil {
			return nil, place(err)
		}
		run.Evaluate, run.Terms = evaluate.Request, valuesDigest(c)
		runs = append(runs, run)
	}
	return runs, nil
}

// inFile is an error with its options spelled as in a file, without dashes.
func inFile(err error) error {
	plain := pipeline.Errorf(pipeline.KindOf(err), "%s", err.Error())
	if hint := pipeline.HintOf(err); !hint.Empty() {
		return pipeline.WithHint(plain, "%s", hint.String())
	}
	return plain
}

// placeOf is the position in the file of the option that an error is about, or
// else of the run.
func placeOf(err error, run runfile.Run) runfile.Position {
	about := pipeline.OptionOf(err)
	for _, o := range slices.Concat(run.Fit, run.Evaluate) {
		if pipeline.Option(o.Name) == about {
			return o.ValueAt()
		}
	}
	return run.At
}

// withOptions sets a command's flags from a file, then from the environment. The
// flag own is the one that tftl run sets itself, to folder.
func withOptions(file runfile.File, command *cli.Command, options []runfile.Option, own, folder string) (*cli.Context, error) {
	set := stdflag.NewFlagSet(command.Name, stdflag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, f := range command.Flags {
		if err := f.Apply(set); err != nil {
			return nil, pipeline.Errorf(pipeline.BadUsage, "%w", err)
		}
	}
	c := cli.NewContext(&cli.App{Name: "tftl", DisableSliceFlagSeparator: true, Metadata: map[string]any{}}, set, nil)
	c.Command = command
	not := decided(command.Name)
	for _, o := range options {
		if slices.Contains(not, o.Name) {
			return nil, file.At(o.At, pipeline.Errorf(pipeline.BadUsage, "%s: cannot be set in a file of runs: tftl run sets it for tftl %s", o.Name, command.Name))
		}
		if err := commandline.IsOption(c, o.Name); err != nil {
			return nil, file.At(o.At, pipeline.Errorf(pipeline.BadUsage, "%w", err))
		}
		if err := commandline.SetOption(c, o.Name, o.Value); err != nil {
			return nil, file.At(o.ValueAt(), pipeline.Errorf(pipeline.BadUsage, "%w", err))
		}
	}
	skip := func(name string) bool { return c.IsSet(name) || slices.Contains(not, name) }
	if _, err := commandline.Environment(c, skip); err != nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%w", err)
	}
	return c, c.Set(own, folder)
}

// valuesDigest is a digest of a command's options, wherever they were set.
func valuesDigest(c *cli.Context) string {
	h := sha256.New()
	// The digest has old names of flags, so that batches evaluated before still count.
	was := map[string]string{"part": "subset", "model-output": "output"}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if _, old := f.(*commandline.Renamed); old || slices.Contains([]string{"gpu-memory", "trust-model", "verify"}, name) { // which change no result
			continue
		}
		value := fmt.Sprint(c.Value(name))
		newer := slices.Contains([]string{"abstain", "conformal", "novelty", "unfamiliar"}, name)
		if name == "predictions" && value == "full" || newer && value == "" { // as before there was a choice
			continue
		}
		if _, repeats := f.(*cli.StringSliceFlag); repeats { // as an earlier version of the cli library printed it
			value = fmt.Sprintf("{%v { true true} %t false}", c.StringSlice(name), c.IsSet(name))
		}
		fmt.Fprintf(h, "%s %q\n", cmp.Or(was[name], name), value)
	}
	fmt.Fprintf(h, "help %q\n", "false") // a flag that the cli library adds to commands
	return hex.EncodeToString(h.Sum(nil))
}
