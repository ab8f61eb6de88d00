package tftl

import (
	"path/filepath"

	"tftl/internal/machine"
	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/pixels"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/savedmodels"
)

// Env returns an environment for the packages below pipeline/workflow, with
// models and pixels that run on TensorFlow. It reports nothing until the caller
// sets Show and Note. version is recorded in every run.
func Env(version string) workflow.Env { return EnvOn(version, nil) }

// EnvOn is Env for a process of a cluster, whose steps run on its server.
func EnvOn(version string, server *savedmodels.Server) workflow.Env {
	runtimes := map[workflow.Session]*savedmodels.Runtime{}
	return workflow.Env{
		Version: version,
		Load: func(path string, s workflow.Session) (workflow.Network, error) {
			r, ok := runtimes[s]
			if !ok {
				var err error
				if err = beside(s, runtimes); err != nil {
					return nil, err
				}
				if r, err = savedmodels.Resolve(SessionOptions(s, server)); err != nil {
					return nil, err
				}
				runtimes[s] = r
			}
			return load(path, r)
		},
		Decoder: func(in workflow.Input, workers int) (workflow.Decoder, error) {
			d, err := pixels.NewDecoder(decoding(in, workers))
			if err != nil {
				return nil, err // and not a nil *Decoder, which would not be nil
			}
			return d, nil
		},
		Augmenter: func(a pipeline.Augmentation, seed uint64, in workflow.Input, threads int) (workflow.Augmenter, error) {
			g, err := pixels.NewAugmenter(a, seed, in.Height, in.Width, threads)
			if err != nil {
				return nil, err
			}
			return augmenter{g, a}, nil
		},
		CheckModel: CheckModel,
		Accept:     Accept,
		Served:     Served,
		Memory:     machine.Memory,
		Disk:       machine.Disk,
	}
}

// CheckModel reads every file of a model and says what is wrong.
func CheckModel(dir string) error {
	_, err := savedmodels.Load(dir, nil) // compares them with its seal
	return err
}

// Accept writes into a trained model which images it answers by a decision, and by
// their novelty, for TensorFlow Serving. A novelty of nil leaves the model's own. knows
// is false if the model's graph has no output for it.
func Accept(dir string, d metrics.Decision, n *pipeline.Novelty) (knows bool, err error) {
	return savedmodels.Accept(dir, savedmodels.Accepting{
		Temperature: d.Temperature, Threshold: d.Threshold, Confidence: d.Confidence, Familiar: d.ChecksNovelty(), Novelty: n,
	})
}

// Served is how a trained model judges novelty.
func Served(dir string) (*pipeline.Novelty, error) {
	model, err := savedmodels.Load(dir, nil)
	if err != nil {
		return nil, err
	}
	return model.Novelty()
}

// Resolve finds out what a session uses on this machine.
func Resolve(s workflow.Session) (*savedmodels.Runtime, error) {
	return savedmodels.Resolve(SessionOptions(s, nil))
}

// SessionOptions returns the options of a session, on the server of a process in a
// cluster; nil outside of one.
func SessionOptions(s workflow.Session, server *savedmodels.Server) savedmodels.Options {
	return savedmodels.Options{
		Precision: savedmodels.Precision(s.Precision), Threads: s.Threads, Device: s.Device, GPUMemory: s.GPUMemory, Trust: s.Trust, Server: server,
	}
}

// beside checks that a session can be had in a process that has others: CUDA's
// libraries turn TF32 off for all, or for none, and TensorFlow starts one GPU, once.
func beside(s workflow.Session, others map[workflow.Session]*savedmodels.Runtime) error {
	exact := func(s workflow.Session) bool { return s.Precision == string(savedmodels.Float32) }
	for other, r := range others {
		if !r.OnGPU() || s.Device == "cpu" {
			continue
		}
		if gpu(s) != gpu(other) {
			return notTogether("device", "runs on different GPUs")
		}
		if s.GPUMemory != other.GPUMemory {
			return notTogether("gpu-memory", "runs with different limits of a GPU's memory")
		}
		if exact(s) != exact(other) {
			return pipeline.WithHint(
				pipeline.Errorf(pipeline.BadUsage, "%s: on a GPU, runs in float32 and runs in another precision cannot be done together", pipeline.Option("precision")),
				"put them into two files, or give all of them %s float32", pipeline.Option("precision"))
		}
	}
	return nil
}

// gpu is the GPU that a session uses if there is one.
func gpu(s workflow.Session) string {
	if s.Device == "" || s.Device == "auto" || s.Device == "gpu" {
		return "gpu:0"
	}
	return s.Device
}

func notTogether(option, what string) error {
	return pipeline.WithHint(
		pipeline.Errorf(pipeline.BadUsage, "%s: %s cannot be done together", pipeline.Option(option), what), "put them into two files")
}

// load loads a model for training. A run cannot be trained like that, but a new
// run can start from it.
func load(path string, r *savedmodels.Runtime) (workflow.Network, error) {
	run := path
	model, err := savedmodels.Load(path, r)
	if err == nil {
		run, err = filepath.Dir(filepath.Clean(path)), model.Trainable()
	}
	if err != nil && rundir.Is(run) {
		err = pipeline.WithHint(err, "use %s %s to start from that run's best weights", pipeline.Option("init-from"), printable.Argument(run))
	}
	if err != nil {
		return nil, err
	}
	weights, err := model.Weights()
	return network{model, weights}, err
}

// network is an exported model as a workflow.Network.
type network struct {
	*savedmodels.Model
	weights string
}

// Info implements workflow.Network.
func (n network) Info() workflow.Info {
	d, r := n.Description, n.Runtime
	info := workflow.Info{
		Path: n.Dir, Backbone: d.Backbone, WeightsOrigin: d.Weights.Origin, WeightsSHA256: n.weights,
		Input: input(d.Input), Pooling: d.Head.Pooling, Hidden: d.Head.Hidden, Optimizers: d.Optimizers, LearningRate: d.LearningRate,
		NewHead: d.Contract >= 3, FrozenBatch: r.FrozenBatch(),
		Runtime: rundir.Runtime{
			TensorFlow: r.TensorFlow, Devices: r.Devices, Precision: string(r.Precision), Threads: r.Threads, Instructions: r.Instructions,
		},
	}
	for _, s := range d.Stages {
		info.Stages = append(info.Stages, s.Name)
	}
	return info
}

func input(in savedmodels.Input) workflow.Input {
	return workflow.Input{Height: in.Size[0], Width: in.Size[1], Interpolation: in.Interpolation, Fit: in.Fit, Preprocess: in.Preprocess}
}

func decoding(in workflow.Input, workers int) pixels.Options {
	return pixels.Options{Height: in.Height, Width: in.Width, Interpolation: in.Interpolation, Fit: in.Fit, Workers: workers}
}

// augmenter is a pixels.Augmenter as a workflow.Augmenter.
type augmenter struct {
	*pixels.Augmenter
	augmentation pipeline.Augmentation
}

// Describe implements workflow.Augmenter.
func (a augmenter) Describe() (notes, warnings []pipeline.Message) {
	return pixels.DescribeAugmentation(a.augmentation)
}

// These types implement the interfaces of the workflows.
var (
	_ workflow.Network = network{}
	_ workflow.Decoder = (*pixels.Decoder)(nil)
)
