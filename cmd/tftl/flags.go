package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/savedmodels"
)

// Categories of flags in --help.
const (
	dataFlags     = "data"
	decisionFlags = "from probabilities to a class"
	gateFlags     = "gates, for CI"
	machineFlags  = "machine"
	cacheFlags    = "feature cache"
	trainFlags    = "training"
	plainFlags    = "a model without assets.extra/tftl.json"
)

func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress, only warnings and errors"},
		&cli.BoolFlag{Name: "verbose", Usage: "TensorFlow's own log lines too"},
	}
}

// runtimeFlags are those of every command that runs a model.
func runtimeFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "YAML `FILE` of options by their names; flags and the environment win"},
		&cli.StringFlag{Name: "precision", Value: "auto", Usage: "auto, float32 or bfloat16; auto is bfloat16 where the CPU has it (AMX, AVX512-BF16), TF32 on a GPU", Category: machineFlags},
		&cli.IntFlag{Name: "threads", Usage: "processors for TensorFlow; 0 for all", Category: machineFlags},
		&cli.StringFlag{Name: "device", Value: "auto", Usage: "auto, cpu, gpu or gpu:N", Category: machineFlags},
	}, commonFlags()...)
}

func batchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "batch-size", Aliases: []string{"b"}, Value: 32, Usage: "images a step"},
		&cli.IntFlag{Name: "workers", Aliases: []string{"j"}, Usage: "images decoded at a time; 0 for one a processor", Category: machineFlags},
	}
}

func sessionOptions(c *cli.Context) savedmodels.Options {
	return savedmodels.Options{
		Precision: savedmodels.Precision(c.String("precision")),
		Threads:   c.Int("threads"),
		Device:    c.String("device"),
	}
}

// fitDataFlags are fit's data and how it is cut, for commands that look at what
// fit would train on.
func fitDataFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Usage: "`DATA` as fit takes it", Category: dataFlags},
		&cli.StringFlag{Name: "val-data", Usage: "as fit has it", Category: dataFlags},
		&cli.StringFlag{Name: "test-data", Usage: "as fit has it", Category: dataFlags},
		&cli.StringFlag{Name: "split", Value: "0.7,0.15,0.15", Usage: "as fit has it", Category: dataFlags},
		&cli.BoolFlag{Name: "split-exact", Usage: "as fit has it", Category: dataFlags},
	}
}

// sourceFlags say how a data set is to be read.
func sourceFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "layout", Value: "auto", Usage: "what the folders in DATA are: parts, which are called train, val and test and hold class folders; classes, whatever they are called; or auto, by their names and what they hold", Category: dataFlags},
	}, fileFlags()...)
}

// fileFlags say which files there are to read.
func fileFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "follow-symlinks", Usage: "follow linked folders", Category: dataFlags},
		&cli.BoolFlag{Name: "allow-outside", Usage: "a manifest may name files outside its folder", Category: dataFlags},
	}
}

// choiceFlags say what of it is wanted.
func choiceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "classes", Usage: "only these, separated by commas", DefaultText: "all", Category: dataFlags},
		&cli.IntFlag{Name: "limit-per-class", Usage: "at most so many images of each class, drawn by a hash of their names; 0 for all", Category: dataFlags},
	}
}

// newDatasetOptions reads the flags that say how a data set is read, chosen
// from and cut, as far as the command has them.
func newDatasetOptions(c *cli.Context) (o dataset.Options, err error) {
	o = dataset.Options{
		Validation: c.String("val-data"), Test: c.String("test-data"),
		FollowSymlinks: c.Bool("follow-symlinks"), AllowOutside: c.Bool("allow-outside"),
		LimitPerClass: c.Int("limit-per-class"), Exact: c.Bool("split-exact"), Seed: c.Uint64("seed"),
	}
	if text := c.String("classes"); text != "" {
		in := csv.NewReader(strings.NewReader(text)) // a name that has a comma is quoted
		in.TrimLeadingSpace = true
		if o.Classes, err = in.Read(); err != nil {
			return o, pipeline.Errorf(pipeline.BadUsage, "--classes %q: must be names separated by commas", text)
		}
	}
	switch layout := c.String("layout"); layout {
	case "", "auto":
	case string(dataset.LayoutParts), string(dataset.LayoutClasses):
		o.Layout = dataset.Layout(layout)
	default:
		return o, pipeline.Errorf(pipeline.BadUsage, "--layout %q: must be auto, parts or classes", layout)
	}
	if err := atLeast(c, 0, "limit-per-class", "fold"); err != nil {
		return o, err
	}
	if c.IsSet("fold") {
		fold := c.Int("fold")
		o.Fold = &fold
	}
	if text := c.String("split"); text != "" {
		o.Split, err = parseSplit(text)
	}
	return o, err
}

func resolveRuntime(c *cli.Context) (*savedmodels.Runtime, error) {
	return savedmodels.Resolve(sessionOptions(c))
}

// requireFlags is the library's check of required flags with our exit code.
func requireFlags(c *cli.Context, names ...string) error {
	for _, name := range names {
		if c.String(name) == "" {
			return usageError(c, fmt.Errorf("--%s is missing", name), false)
		}
	}
	return nil
}

// noArguments refuses what a command would silently pass over.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return usageError(c, fmt.Errorf("unexpected argument %q", c.Args().First()), false)
	}
	return nil
}

// atLeast checks integer flags.
func atLeast(c *cli.Context, least int, names ...string) error {
	for _, name := range names {
		if v := c.Int(name); v < least {
			return pipeline.Errorf(pipeline.BadUsage, "--%s %d: must be %d or more", name, v, least)
		}
	}
	return nil
}

// parseBytes reads a size: 500MB, 2GiB, 1000000.
func parseBytes(text string) (int64, error) {
	number := strings.TrimRight(text, "KMGTiBb ")
	unit := strings.ToUpper(strings.TrimSpace(text[len(number):]))
	scale := map[string]float64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
	}[unit]
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || scale == 0 || !(value >= 0 && value*scale < 1<<62) {
		return 0, pipeline.Errorf(pipeline.BadUsage, "%q is no size: write 500MB, 2GiB or a number of bytes", text)
	}
	return int64(value * scale), nil
}

// parseSplit reads three fractions: 0.7,0.15,0.15.
func parseSplit(text string) (split [3]float64, err error) {
	parts := strings.Split(text, ",")
	bad := pipeline.Errorf(pipeline.BadUsage, "--split %q: must be three fractions, for train, validation and test, such as 0.7,0.15,0.15", text)
	if len(parts) != 3 {
		return split, bad
	}
	for i, part := range parts {
		if split[i], err = strconv.ParseFloat(strings.TrimSpace(part), 64); err != nil {
			return split, bad
		}
	}
	return split, nil
}

// within says whether a path lies in a folder.
func within(path, folder string) bool {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	rest, err := filepath.Rel(folder, absolute)
	info, statErr := os.Stat(folder)
	return err == nil && filepath.IsLocal(rest) && statErr == nil && info.IsDir()
}

// quoted is a path as a shell takes it, for commands that are shown.
func quoted(path string) string {
	plain := func(r rune) bool {
		return r == '/' || r == '.' || r == '-' || r == '_' || r == '=' || r == ',' || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// patternless leaves out what makes a name a pattern.
func patternless(r rune) rune {
	if strings.ContainsRune("*?[]", r) {
		return -1
	}
	return r
}

// defaultOutput is the first of runs/NAME-1, runs/NAME-2 … that is free.
func defaultOutput(data string) string {
	name := "run"
	if absolute, err := filepath.Abs(data); err == nil {
		name = cmp.Or(strings.Trim(strings.Map(patternless, filepath.Base(absolute)), "-"), name)
	}
	for i := 1; ; i++ {
		path := filepath.Join("runs", fmt.Sprintf("%s-%d", name, i))
		if _, err := os.Stat(path); err != nil {
			return path
		}
	}
}
