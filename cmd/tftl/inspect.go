package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"tftl"
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/savedmodels"
)

func newInspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "describe a model, or check a data set",
		ArgsUsage: "MODEL_OR_DATA",
		Description: `Describes a run or a SavedModel. Anything else is checked as a data set: it is split as
in fit, and every image is decoded. The exit code is 3 if something would spoil a run
or its metrics:

   an image that cannot be read, or has only one colour
   a class without an image in validation or test
   an image with an exact or near duplicate in another part

Other findings are warnings: a class three times as large as another, a file extension
that does not match the format, and exact or near duplicates within a part. Near
duplicates look alike at 32 x 32 pixels in grey; mirrored and cropped copies are not
found.

With --verify every file of a run or a model that has a digest is read, and the exit
code is 1 if one of them is not what was written.

   tftl inspect runs/first --verify
   tftl inspect photos
   tftl inspect photos --json | jq '.findings[] | select(.spoils)'`,
		Flags: slices.Concat(
			partFlags(), []cli.Flag{seedFlag("--split-exact", dataFlags), workersFlag(), jsonFlag(resultAsJSON), &cli.BoolFlag{Name: "verify", Usage: "read all files of a run or a model, and say which are damaged"}},
			choiceFlags(), sourceFlags(), commonFlags(),
		),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usageError(c, fmt.Errorf("expected one model or data set, got %d", c.NArg()), false)
			}
			path, t := c.Args().First(), newTerminal(c)
			switch {
			case c.Bool("verify"):
				return runVerify(t, path, c.Bool("json"))
			case isModel(path):
				return runInspect(t, path, c.Bool("json"))
			}
			if err := within(c, 0, pipeline.MaxWorkers, "workers"); err != nil {
				return err
			}
			options, err := newDatasetOptions(c)
			if err != nil {
				return err
			}
			return runInspectData(c.Context, t, path, options, c.Int("workers"), c.Bool("json"))
		},
	}
}

// ability says whether a model can be used by a command, and if not, why.
type ability struct {
	Command string `json:"command"`
	Can     bool   `json:"can"`
	Reason  string `json:"reason,omitempty"`
}

func abilities(m *savedmodels.Model, refused error) []ability {
	if refused != nil {
		reason := pipeline.ErrorText(refused, flag)
		return []ability{{"fit", false, reason}, {"evaluate, predict", false, reason}}
	}
	train := ability{Command: "fit", Can: true}
	if lacks := m.LacksForTraining(); lacks != "" {
		train = ability{"fit", false, lacks}
	}
	evaluate := ability{Command: "evaluate, predict", Can: true}
	switch {
	case m.Description == nil:
		evaluate.Reason = "with --model-output, --labels and --rescale"
	case len(m.Description.Labels) == 0:
		evaluate = ability{"evaluate, predict", false, "it is not trained, so its head has no classes"}
	}
	if !train.Can {
		return []ability{train, evaluate}
	}
	lacks := m.LacksForInt8()
	return []ability{train, {"fit --precision int8", lacks == "", lacks}, evaluate}
}

// runInspect describes a model.
func runInspect(t terminal, path string, asJSON bool) error {
	model, err := tftl.LoadServing(path, nil)
	if err != nil {
		return err
	}
	path = model.Dir
	operations, err := model.Operations()
	if err != nil {
		return err
	}
	can := abilities(model, model.Vet())
	if asJSON {
		return ui.WriteJSON(t.Out, struct {
			*savedmodels.Description
			MetaGraphs []savedmodels.MetaGraph `json:"metagraphs"`
			Operations []savedmodels.Operation `json:"operations"`
			Abilities  []ability               `json:"abilities"`
		}{model.Description, model.MetaGraphs(), operations, can})
	}
	w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	printable.Fprintf(w, "model\t%s\n", path)
	if d := model.Description; d != nil {
		describeModel(w, d)
	}
	printable.Fprintf(w, "operations\t%s\n", operationList(operations))
	for _, a := range can {
		answer := "yes"
		if !a.Can {
			answer = "no"
		}
		if a.Reason != "" {
			answer += ": " + a.Reason
		}
		printable.Fprintf(w, "tftl %s\t%s\n", a.Command, answer)
	}
	for _, g := range model.MetaGraphs() {
		printable.Fprintf(w, "\nMetaGraph %s\n", g.Tags)
		for _, s := range g.Signatures {
			printable.Fprintf(w, "  %s\t", s.Name)
			if len(s.Inputs) > 0 {
				printable.Fprintf(w, "%s\n\t", tensorList(s.Inputs))
			}
			printable.Fprintf(w, "-> %s\n", tensorList(s.Outputs))
		}
	}
	return w.Flush()
}

func describeModel(w *tabwriter.Writer, d *savedmodels.Description) {
	head := fmt.Sprintf("%s, %d inputs", d.Head.Pooling, d.Head.Inputs)
	if d.Head.Hidden > 0 {
		head += fmt.Sprintf(", hidden layers: %d", d.Head.Hidden)
	}
	for _, row := range [][2]string{
		{"backbone", d.Backbone},
		{"weights", d.Weights.Origin},
		{"images", fmt.Sprintf("%d x %d, %s, %s, preprocessing %s", d.Input.Size[0], d.Input.Size[1], d.Input.Fit, d.Input.Interpolation, d.Input.Preprocess)},
		{"head", head},
		{"contract", fmt.Sprintf("version %d, TensorFlow %s, Keras %s", d.Contract, d.Versions.TensorFlow, d.Versions.Keras)},
	} {
		printable.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	if len(d.Labels) > 0 {
		printable.Fprintf(w, "labels\t%s\n", fmt.Sprintf("%q", d.Labels))
	}
	for _, s := range d.Stages {
		printable.Fprintf(w, "stage %s\tfeatures %v\t%d parameters of the backbone\t%s\n", s.Name, s.Features, s.Parameters, strings.Join(s.Layers, " "))
	}
}

// operationList says how many kinds of operations a model has, and names those that
// do more than compute.
func operationList(operations []savedmodels.Operation) string {
	var more []string
	for _, o := range operations {
		if !o.Allowed {
			more = append(more, o.Name)
		}
	}
	if len(more) == 0 {
		return fmt.Sprintf("%d kinds, which only compute", len(operations))
	}
	return fmt.Sprintf("%d kinds, not all of which only compute: %s", len(operations), strings.Join(more, " "))
}

func tensorList(tensors []savedmodels.Tensor) string {
	texts := make([]string, len(tensors))
	for i, t := range tensors {
		texts[i] = t.String()
	}
	return strings.Join(texts, ", ")
}
