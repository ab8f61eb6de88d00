package main

import (
	"github.com/urfave/cli/v2"

	"tftl"
	commandline "tftl/internal/cli"
	"tftl/pipeline"
	"tftl/pipeline/pixels"
	"tftl/pipeline/workflow"
	"tftl/savedmodels"
)

// environment is what workflows work with: TensorFlow, and this terminal, where
// progress is shown.
func environment(t terminal) (workflow.Env, *progress) { return environmentOn(t, nil) }

// environmentOn is that of a process in a cluster, which has a server.
func environmentOn(t terminal, server *savedmodels.Server) (workflow.Env, *progress) {
	p := newProgress(t)
	env := tftl.EnvOn(version, server)
	env.Show = p.show
	env.Note = func(n workflow.Note) {
		p.end()
		if n.Warning {
			t.warn("%s", of(n.Run, n.Text(flag)))
		} else {
			t.say("%s", of(n.Run, n.Text(flag)))
		}
	}
	return env, p
}

func newSession(c *cli.Context) (s workflow.Session, err error) {
	s = workflow.Session{Precision: c.String("precision"), Threads: c.Int("threads"), Device: c.String("device"), Trust: c.Bool("trust-model")}
	if limit := c.String("gpu-memory"); limit != "" {
		if s.GPUMemory, err = commandline.Bytes(limit); err != nil {
			return s, invalid("gpu-memory", limit, err.Error())
		}
	}
	return s, nil
}

// classifierOptions say how to open a trained model.
func classifierOptions(c *cli.Context) (tftl.Options, error) {
	session, err := newSession(c)
	if err != nil {
		return tftl.Options{}, err
	}
	plain, err := newPlain(c)
	return tftl.Options{Session: session, Plain: plain, Workers: c.Int("workers")}, err
}

// resolveRuntime finds out what the machine flags mean on this machine.
func resolveRuntime(c *cli.Context) (*savedmodels.Runtime, error) {
	session, err := newSession(c)
	if err != nil {
		return nil, err
	}
	return tftl.Resolve(session)
}

// newDecoder decodes images to the size that a network expects.
func newDecoder(in savedmodels.Input, workers int) (*pixels.Decoder, error) {
	return pixels.NewDecoder(pixels.Options{Height: in.Size[0], Width: in.Size[1], Interpolation: in.Interpolation, Fit: in.Fit, Workers: workers})
}

// flag spells an option as it is typed.
func flag(o pipeline.Option) string { return "--" + o.String() }

// warnOfProbabilities warns if logits are like probabilities, because a second
// softmax would make them too even.
func (t terminal) warnOfProbabilities(plain savedmodels.Plain, alike bool) {
	if plain.Output == "logits" && alike {
		t.warn("--model-output logits: everything the model returns looks like probabilities; if it ends with softmax or sigmoid, use --model-output probabilities")
	}
}
