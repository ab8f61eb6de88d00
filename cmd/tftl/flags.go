package main

import (
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
	"tftl/pipeline/shard"
	"tftl/pipeline/workflow/audit"
)

// Every flag is defined once, in flags.go, flags_data.go or flags_train.go
// (those of augmentations in flags_augment.go). Commands pick the flags they
// need. A flag that means something else in another command takes its usage as a
// parameter and has no environment variable.

// Categories of flags in --help.
const (
	dataFlags     = "data"
	decisionFlags = "from probabilities to classes"
	gateFlags     = "gates, for CI"
	machineFlags  = "machine"
	cacheFlags    = "feature cache"
	trainFlags    = "training"
	plainFlags    = "for a model without assets.extra/tftl.json"
)

// commonFlags are the flags of every command.
func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "show only warnings and errors"},
		&cli.BoolFlag{Name: "verbose", Usage: "also show TensorFlow's log lines"},
	}
}

// runtimeFlags are the flags of commands that run a model.
func runtimeFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, EnvVars: commandline.NoVariable(), Usage: "read options from a YAML `FILE`, by their names without dashes; flags and the environment override it"},
		commandline.Offer(&cli.StringFlag{Name: "precision", Value: "auto", Usage: "compute in float32, bfloat16 (CPU), tf32 or float16 (GPU), or auto: bfloat16 on a CPU that has it (AMX, AVX512-BF16), TF32 on a GPU, else float32; int8 (CPU) is for the frozen part, once tftl calibrate has prepared the network", Category: machineFlags}, "auto", "float32", "bfloat16", "tf32", "float16", "int8"),
		threadsFlag(),
		commandline.Offer(&cli.StringFlag{Name: "device", Value: "auto", Usage: "device to use: auto, cpu, gpu or gpu:N", Category: machineFlags}, "auto", "cpu", "gpu"),
		&cli.StringFlag{Name: "gpu-memory", Usage: "use at most this much of the GPU's memory, such as 4GB", DefaultText: "all of it, as it is needed", Category: machineFlags},
		trustFlag(),
	}, commonFlags()...)
}

func threadsFlag() cli.Flag {
	return &cli.IntFlag{Name: "threads", Usage: "CPU threads for TensorFlow; 0 for all", Category: machineFlags}
}

func trustFlag() cli.Flag {
	return &cli.BoolFlag{Name: "trust-model", Usage: "run the model even if its graph does more than compute, such as read and write files; do that only if you would run a program of its author", Category: machineFlags}
}

func batchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "batch-size", Aliases: []string{"b"}, Value: 32, Usage: "images per step"},
		workersFlag(),
	}
}

// shardFlag divides the images of a command among tasks.
func shardFlag() cli.Flag {
	return &cli.StringFlag{Name: "shard", Usage: "do only shard `I/N` of the images, such as 3/10, and print what tftl merge puts together", Category: dataFlags}
}

func workersFlag() cli.Flag {
	return &cli.IntFlag{Name: "workers", Aliases: []string{"j"}, Usage: "images to decode at the same time; 0 for one per CPU", Category: machineFlags}
}

// verifyFlag is for commands that know images by their files.
func verifyFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verify", Usage: "read every image again, even if its file has the size, the times and the inode with which an earlier command read it", Category: cacheFlags}
}

// resultAsJSON is what --json does in most commands.
const resultAsJSON = "print the result as one JSON document"

func jsonFlag(usage string) cli.Flag { return &cli.BoolFlag{Name: "json", Usage: usage} }

// outputFlag is a path in every command: of a run, a manifest or a picture.
func outputFlag(usage, otherwise string) cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, EnvVars: commandline.NoVariable(), Usage: usage, DefaultText: otherwise}
}

// seedFlag takes what the seed is for, such as "the bootstrap".
func seedFlag(of, category string) cli.Flag {
	return &cli.Uint64Flag{Name: "seed", Value: 1, Usage: "seed of " + of, Category: category}
}

func junitFlag() cli.Flag {
	return &cli.StringFlag{Name: "junit", Usage: "write a JUnit `FILE` with one test case per gate", Category: gateFlags}
}

// networkFlags say which network to train.
func networkFlags() []cli.Flag {
	return []cli.Flag{
		modelFlag("train the network in `DIR`, written by tftl-export"),
		&cli.StringFlag{Name: "init-from", Usage: "start from the best weights of the run in `DIR`, head included if the classes are the same; --model defaults to that run's"},
	}
}

func modelFlag(usage string) cli.Flag { return &cli.StringFlag{Name: "model", Usage: usage} }

// runFlags are the flags of fit about the run as a whole.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "resume", Usage: "continue the run in `DIR` with its own options; use --data and --model if those have moved"},
		outputFlag("write the run to `DIR`", "runs/NAME-N, named after the data"),
		&cli.BoolFlag{Name: "overwrite", Usage: "replace the run in OUTPUT; the old one is kept in OUTPUT/replaced until the new one has a model"},
		&cli.DurationFlag{Name: "checkpoint-every", Value: defaultSaveEvery, Usage: "time between checkpoints, the most work that a killed run repeats; 0 for every step"},
		&cli.DurationFlag{Name: "max-time", Usage: "stop training after this time, such as 50m, and keep the best epoch so far; --resume continues; 0 for no limit"},
		&cli.StringFlag{Name: "log-file", Usage: "append messages to `FILE`, with the time"},
		jsonFlag(resultAsJSON),
	}
}

// measureFlags say which metrics are computed, and how.
func measureFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "top-k", Value: 5, Usage: "report top_`K`_accuracy, how often the true class is among the K most likely, if there are more than K classes"},
		resamplesFlag(), seedFlag("the bootstrap", ""),
	}
}

func resamplesFlag() cli.Flag {
	return &cli.IntFlag{Name: "resamples", Value: 1000, Usage: "bootstrap resamples for the 95% intervals; 0 for no intervals"}
}

// predictionsFlag says what evaluate keeps in the run's folder.
func predictionsFlag() cli.Flag {
	return commandline.Offer(&cli.StringFlag{Name: "predictions", Value: "full", Usage: "keep this much of each image's predictions in the run's folder: full; top:`K`, the K most likely classes; or none. compare needs them all, and so do the report's curves"}, "full", "none")
}

func newGateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "min", Usage: "exit with code 5 if a metric is below X: `NAME=X`; may be repeated", Category: gateFlags},
		&cli.StringSliceFlag{Name: "max", Usage: "exit with code 5 if a metric is above X: `NAME=X`; may be repeated", Category: gateFlags},
		commandline.Offer(&cli.StringFlag{Name: "gate-on", Value: "value", Usage: "what must meet the bound: value, the metric itself; or lower, the worse end of its 95% interval (the upper end for --max)", Category: gateFlags}, "value", "lower"),
		junitFlag(),
		&cli.StringFlag{Name: "summary", Usage: "write a Markdown summary to `FILE`, for a CI job's page; - prints it instead of the table", Category: gateFlags},
	}
}

// compareFlags are the page and the gate of compare.
func compareFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "html", Usage: "write a self-contained page to `FILE`"},
		&cli.Float64Flag{Name: "no-worse-than", Usage: "exit with code 5 if B may be more than `X` worse than A", DefaultText: "no gate", Category: gateFlags},
		commandline.Offer(&cli.StringFlag{Name: "metric", Value: "accuracy", Usage: "metric that --no-worse-than compares; recall[cat] for one class", Category: gateFlags}, metrics.All()...),
		junitFlag(),
	}
}

func newDecisionFlags() []cli.Flag {
	return []cli.Flag{
		commandline.Offer(&cli.StringFlag{Name: "threshold", Usage: "for two classes, predict the second if its probability is at least `P`; f1 finds the P with the best F1 on the validation part; argmax removes a stored threshold", DefaultText: "as stored", Category: decisionFlags}, "f1", "argmax"),
		commandline.Offer(&cli.StringFlag{Name: "temperature", Usage: "divide logits by `T` to calibrate probabilities, without changing predicted classes; fit finds the T with the lowest loss on the validation part; 1 removes a stored temperature", DefaultText: "as stored", Category: decisionFlags}, "fit"),
		commandline.Offer(&cli.StringFlag{Name: "abstain", Usage: "answer only if confident enough for `PROMISE`, chosen on the validation part: risk=X, at most this share of the answers is wrong; or coverage=X, at least this share of the images is answered; off answers all again", DefaultText: "as stored", Category: decisionFlags}, "risk=0.02", "coverage=0.9", "off"),
		commandline.Offer(&cli.StringFlag{Name: "conformal", Usage: "give each image a set of classes that has the true one for a share `X` of the images, chosen on the validation part; off removes the sets", DefaultText: "as stored", Category: decisionFlags}, "0.95", "off"),
		commandline.Offer(&cli.StringFlag{Name: "novelty", Usage: "be unsure of images that are unlike the training images, so that a share `X` of new images like those of the validation part is familiar; off takes every image for familiar", DefaultText: "as stored", Category: decisionFlags}, "0.95", "off"),
	}
}

// oldOutputFlag has no variable: TFTL_OUTPUT never set what the model returns.
func oldOutputFlag() cli.Flag {
	f := commandline.OldName("output", "model-output")
	f.EnvVars = commandline.NoVariable()
	return f
}

// plainModelFlags describe a plain Keras SavedModel, which does not describe itself.
func plainModelFlags() []cli.Flag {
	return []cli.Flag{
		commandline.Offer(&cli.StringFlag{Name: "model-output", Usage: "what the model returns: probabilities or logits", Category: plainFlags}, "probabilities", "logits"),
		oldOutputFlag(),
		&cli.StringFlag{Name: "rescale", Usage: "multiply pixels (0 to 255) by this number or fraction, such as 1/255", Category: plainFlags},
		&cli.StringFlag{Name: "labels", Usage: "read the classes from `FILE`, one per line, in the order of the outputs", Category: plainFlags},
	}
}

// answerWriter writes answers in one of their forms.
type answerWriter func(*report.Answers, []pipeline.Outcome) error

// answerForm reads which of them was asked for.
func answerForm(c *cli.Context) (answerWriter, error) {
	switch {
	case c.Bool("json") && c.Bool("csv"):
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s and %s exclude each other", pipeline.Option("json"), pipeline.Option("csv"))
	case c.Bool("json"):
		return (*report.Answers).WriteLines, nil
	case c.Bool("csv"):
		return (*report.Answers).WriteCSV, nil
	}
	return (*report.Answers).WriteTable, nil
}

// mergedFlags say how merge prints and measures. They have the defaults of evaluate.
func mergedFlags() []cli.Flag {
	return []cli.Flag{
		jsonFlag("print the metrics as one JSON document, or the answers as one per line"),
		&cli.BoolFlag{Name: "csv", Usage: "print answers as one row per image, with the probability of every class"},
		&cli.IntFlag{Name: "top-k", Value: 5, EnvVars: commandline.NoVariable(), Usage: "as in evaluate or predict, whose shards are merged", DefaultText: "theirs"},
		resamplesFlag(), seedFlag("the bootstrap", ""),
	}
}

// evaluationOnly are the flags of merge that are not for answers.
func evaluationOnly() []string {
	return []string{"model", "resamples", "seed", "predictions", "min", "max", "gate-on", "junit", "summary", "threshold", "temperature", "abstain", "conformal", "novelty"}
}

// answerFlags say what predict writes.
func answerFlags() []cli.Flag {
	return []cli.Flag{
		jsonFlag("print JSON lines, one document per image"),
		&cli.BoolFlag{Name: "csv", Usage: "print one row per image, with the probability of every class"},
		&cli.IntFlag{Name: "top-k", EnvVars: commandline.NoVariable(), Usage: "print only the `K` most likely classes of each image", DefaultText: "1, or all with --json and --csv"},
		&cli.StringFlag{Name: "explain", Usage: "write each image into `DIR` with a Grad-CAM heat map of its predicted class"},
	}
}

// rateFlags are the flags of lr-find alone.
func rateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "stage", Value: "head", EnvVars: commandline.NoVariable(), Usage: "train the stage `NAME`"},
		&cli.Float64Flag{Name: "lr-min", Value: 1e-6, Usage: "lowest learning rate to try"},
		&cli.Float64Flag{Name: "lr-max", Value: 0.1, Usage: "highest learning rate to try"},
		&cli.IntFlag{Name: "rates", Value: 16, Usage: "number of rates to try, evenly spaced on a logarithmic scale"},
		&cli.IntFlag{Name: "steps", Value: 30, Usage: "training steps at each rate"},
		outputFlag("plot loss against learning rate to `FILE`, .png or .svg", ""),
		jsonFlag("print every rate and its loss as one JSON document"),
	}
}

// sheetFlags are the flags of preview alone.
func sheetFlags() []cli.Flag {
	return []cli.Flag{
		modelFlag("use the image size and interpolation of the model in `DIR`"),
		&cli.StringFlag{Name: "image-size", Usage: "resize images to `HEIGHT[,WIDTH]`, instead of --model"},
		outputFlag("write the contact sheet to `FILE.png`", ""),
		jsonFlag("print what was drawn as one JSON document"),
	}
}

// auditFlags are the flags of audit alone.
func auditFlags() []cli.Flag {
	return []cli.Flag{
		modelFlag("train heads on the network in `DIR`, written by tftl-export"),
		outputFlag("write the audit to `DIR`", ""),
		&cli.BoolFlag{Name: "overwrite", Usage: "replace the audit in OUTPUT; files that tftl did not write stay"},
		jsonFlag(resultAsJSON),
		&cli.IntFlag{Name: "folds", Value: audit.DefaultFolds, Usage: "number of heads; each judges the images of one fold, and learns from the others", Category: trainFlags},
		&cli.IntFlag{Name: "epochs", Value: 30, Usage: "maximum number of epochs of each head", Category: trainFlags},
		&cli.Float64Flag{Name: "lr", Usage: "learning rate of the heads", DefaultText: "the model's", Category: trainFlags},
		seedFlag("the folds, the heads and --split-exact", trainFlags),
		&cli.StringSliceFlag{Name: "max", Usage: "exit with code 5 if a number is above X: `NAME=X`; may be repeated", Category: gateFlags},
		&cli.StringFlag{Name: "baseline", Usage: "accept the findings in `FILE`: they are marked, and gates do not count them", Category: gateFlags},
		&cli.StringFlag{Name: "write-baseline", Usage: "write all findings to `FILE`, for --baseline", Category: gateFlags},
		junitFlag(),
	}
}

// runFileFlags are the flags of run.
func runFileFlags() []cli.Flag {
	return []cli.Flag{
		outputFlag("write the runs and their summary to `DIR`", "output in the file, else runs/NAME, after the file"),
		&cli.BoolFlag{Name: "dry-run", Usage: "check options, data and models, and print the plan"},
		&cli.IntFlag{Name: "jobs", Usage: "do `N` runs at the same time; 0 for one per CPU, up to 4, if they only train heads on cached features"},
		verifyFlag(),
		&cli.BoolFlag{Name: "keep-going", Usage: "continue with the other runs if one fails"},
		&cli.BoolFlag{Name: "schema", Usage: "print the JSON Schema of FILE.yaml, for editors"},
		junitFlag(),
		jsonFlag("print the summary as one JSON document"),
	}
}

// launchFlags are the flags of launch.
func launchFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.IntFlag{Name: "processes", Aliases: []string{"n"}, Usage: "start `N` processes, from 1 to 64", DefaultText: "none"},
		&cli.IntFlag{Name: "max-restarts", Usage: "start all again, at most `N` times, after an exit code of 128 or above, except 130"},
		&cli.BoolFlag{Name: "gpus", Usage: "give each process a GPU of its own"},
	}, commonFlags()...)
}

// requireFlags returns an error if a flag is empty. (The cli library's own check
// prints the whole help.)
func requireFlags(c *cli.Context, names ...string) error {
	for _, name := range names {
		if c.String(name) == "" {
			return usageError(c, pipeline.Errorf(pipeline.BadUsage, "%s is missing", pipeline.Option(name)), false)
		}
	}
	return nil
}

// noArguments returns an error if there are arguments, which would be ignored.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return usageError(c, fmt.Errorf("unexpected argument %q", c.Args().First()), false)
	}
	return nil
}

// notWith returns an error if one of the flags was given, which would have no effect.
// A variable is for many commands, so it is no mistake.
func notWith(c *cli.Context, why string, names ...string) error {
	for _, name := range names {
		if c.IsSet(name) && !commandline.FromEnvironment(c, name) {
			return pipeline.Errorf(pipeline.BadUsage, "%s: %s", pipeline.Option(name), why)
		}
	}
	return nil
}

// newShard reads the flag of shardFlag.
func newShard(c *cli.Context) (shard.Shard, error) {
	if text := c.String("shard"); text != "" {
		return shard.Parse(text)
	}
	return shard.Shard{}, nil
}

// atLeast checks the lower bound of integer flags.
func atLeast(c *cli.Context, least int, names ...string) error {
	for _, name := range names {
		if err := within(c, least, math.MaxInt, name); err != nil {
			return err
		}
	}
	return nil
}

// within checks the bounds of an integer flag.
func within(c *cli.Context, least, most int, name string) error {
	return pipeline.CheckRange(pipeline.Option(name), c.Int(name), least, most)
}

// invalid is the error about a flag's value.
func invalid(name pipeline.Option, value, must string) error {
	return pipeline.Errorf(pipeline.BadUsage, "%s %q: %s", name, value, must)
}
