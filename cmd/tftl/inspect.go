package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

func newInspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "what a model is, and what it can and cannot do",
		ArgsUsage: "MODEL",
		Flags:     append([]cli.Flag{&cli.BoolFlag{Name: "json", Usage: "one JSON document"}}, commonFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usageError(c, fmt.Errorf("one model is to be named, not %d", c.NArg()), false)
			}
			return runInspect(newTerminal(c), c.Args().First(), c.Bool("json"))
		},
	}
}

// ability is one thing that a model can do, or why it cannot.
type ability struct {
	Command string `json:"command"`
	Can     bool   `json:"can"`
	Reason  string `json:"reason,omitempty"`
}

func abilities(m *savedmodels.Model) []ability {
	train := ability{Command: "fit", Can: true}
	if err := m.Trainable(); err != nil {
		_, reason, _ := strings.Cut(err.Error(), ": cannot be trained: ")
		train = ability{"fit", false, reason}
	}
	evaluate := ability{Command: "evaluate, predict", Can: true}
	switch {
	case m.Description == nil:
		evaluate.Reason = "when told --output, --labels and --rescale"
	case len(m.Description.Labels) == 0:
		evaluate = ability{"evaluate, predict", false, "its head has no classes before it is trained"}
	}
	return []ability{train, evaluate}
}

// runInspect is the command without its command line.
func runInspect(t terminal, path string, asJSON bool) error {
	if rundir.Is(path) {
		path = (rundir.Dir{Path: path}).Model()
	}
	model, err := savedmodels.Load(path, nil)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(t.out, struct {
			*savedmodels.Description
			MetaGraphs []savedmodels.MetaGraph `json:"metagraphs"`
			Abilities  []ability               `json:"abilities"`
		}{model.Description, model.MetaGraphs(), abilities(model)})
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "model\t%s\n", path)
	if d := model.Description; d != nil {
		describeModel(w, d)
	}
	for _, a := range abilities(model) {
		can := "yes"
		if !a.Can {
			can = "no"
		}
		if a.Reason != "" {
			can += ": " + a.Reason
		}
		fmt.Fprintf(w, "tftl %s\t%s\n", a.Command, can)
	}
	for _, g := range model.MetaGraphs() {
		fmt.Fprintf(w, "\nMetaGraph %s\n", g.Tags)
		for _, s := range g.Signatures {
			fmt.Fprintf(w, "  %s\t%s\t-> %s\n", s.Name, list(s.Inputs), list(s.Outputs))
		}
	}
	return w.Flush()
}

func describeModel(w *tabwriter.Writer, d *savedmodels.Description) {
	head := d.Head.Pooling
	if d.Head.Hidden > 0 {
		head += fmt.Sprintf(", %d hidden layer of free width", d.Head.Hidden)
	}
	for _, row := range [][2]string{
		{"backbone", d.Backbone},
		{"weights", d.Weights.Origin},
		{"images", fmt.Sprintf("%d x %d, %s, preprocessing %s", d.Input.Size[0], d.Input.Size[1], d.Input.Interpolation, d.Input.Preprocess)},
		{"head", fmt.Sprintf("%s (%d inputs)", head, d.Head.Inputs)},
		{"contract", fmt.Sprintf("version %d, TensorFlow %s, Keras %s", d.Contract, d.Versions.TensorFlow, d.Versions.Keras)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	if len(d.Labels) > 0 {
		fmt.Fprintf(w, "labels\t%s\n", fmt.Sprintf("%q", d.Labels))
	}
	for _, s := range d.Stages {
		fmt.Fprintf(w, "stage %s\tfeatures %v\t%d parameters of the backbone\t%s\n", s.Name, s.Features, s.Parameters, strings.Join(s.Layers, " "))
	}
}

func list(tensors []savedmodels.Tensor) string {
	texts := make([]string, len(tensors))
	for i, t := range tensors {
		texts[i] = t.String()
	}
	return strings.Join(texts, ", ")
}
