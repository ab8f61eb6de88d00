package savedmodels

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Precision is the precision of a session's computations.
type Precision string

// The precisions. Float32 equals Keras within rounding. BFloat16, which exists on CPUs
// only, multiplies in bfloat16 where that is safe and adds in float32. TF32 and Float16
// exist on GPUs only. Float16 is that of the frozen part and of serving. Steps are in
// TF32, because gradients would become zero in float16. Int8, on CPUs only, is that of the
// frozen part of an exported network; everything else is in float32.
const (
	Auto     Precision = "auto"
	Float32  Precision = "float32"
	BFloat16 Precision = "bfloat16"
	TF32     Precision = "tf32"
	Float16  Precision = "float16"
	Int8     Precision = "int8"
)

// Options are the options of a session.
type Options struct {
	Precision Precision
	Threads   int     // within one operation and between operations; 0 for all processors
	Device    string  // "auto", "cpu", "gpu" or "gpu:N"
	GPUMemory int64   // most bytes of the GPU's memory; 0 for all
	Trust     bool    // run any graph, also one that does more than compute
	Server    *Server // of this process in a cluster; nil outside of one
}

// Runtime is what a session uses on this machine.
type Runtime struct {
	TensorFlow   string    `json:"tensorflow"`   // version of the library
	Devices      []string  `json:"devices"`      // CPU:0, "GPU:0 NVIDIA H200 (9.0)"
	Precision    Precision `json:"precision"`    // never Auto
	Threads      int       `json:"threads"`      // 0 for all processors
	Instructions string    `json:"instructions"` // with +onednn if its kernels are on; part of the feature cache's key
	config       *tf.SessionOptions
	inference    *tf.SessionOptions // of the frozen part and of serving; nil for config
	trust        bool
	server       *Server // nil outside of a cluster
}

// OnGPU reports whether a GPU computes.
func (r *Runtime) OnGPU() bool {
	return len(r.Devices) > 0 && strings.HasPrefix(r.Devices[len(r.Devices)-1], "GPU")
}

// inferring returns the runtime of graphs that train nothing.
func (r *Runtime) inferring() *Runtime {
	if r.inference == nil {
		return r
	}
	other := *r
	other.config = r.inference
	return &other
}

// Resolve decides what the options mean on this machine. The decision depends
// only on the device and the instruction set, never on timing, so that runs
// repeat. On a GPU, a process either computes in Float32 or not: the first call decides.
func Resolve(o Options) (*Runtime, error) {
	if err := pipeline.CheckRange("threads", o.Threads, 0, pipeline.MaxWorkers); err != nil {
		return nil, err
	}
	o.Precision = cmp.Or(o.Precision, Auto)
	if err := checkGPUMemory(o.GPUMemory); err != nil {
		return nil, err
	}
	config := sessionConfig(o.Threads)
	wantGPU, number, err := selectDevice(config, o)
	if err != nil {
		return nil, err
	}
	if o.Device != "cpu" && o.Precision == Float32 { // before TensorFlow starts
		if err := os.Setenv(tf32Override, "0"); err != nil {
			return nil, err
		}
	}
	r := &Runtime{TensorFlow: tf.Version(), Threads: o.Threads, Instructions: instructions(), trust: o.Trust, server: o.Server}
	if r.Devices, err = devices(config); err != nil && !wantGPU {
		return nil, err
	}
	if wantGPU && !r.OnGPU() {
		return nil, noGPU(o.Device, r.Devices, err)
	}
	if o.GPUMemory > 0 && !r.OnGPU() {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s: there is no GPU, only %s", pipeline.Option("gpu-memory"), strings.Join(r.Devices, ", "))
	}
	if r.OnGPU() {
		err = r.resolveGPU(o.Precision, number)
	} else {
		r.Precision, err = resolvePrecision(o.Precision)
	}
	if err != nil {
		return nil, err
	}
	return r, r.configure(config)
}

func sessionConfig(threads int) *for_core_protos_go_proto.ConfigProto {
	return &for_core_protos_go_proto.ConfigProto{
		IntraOpParallelismThreads: int32(threads),
		InterOpParallelismThreads: int32(threads),
		GraphOptions: &for_core_protos_go_proto.GraphOptions{
			// Also of graphs with few nodes: a frozen part with constants has three that are
			// not in functions.
			RewriteOptions: &for_core_protos_go_proto.RewriterConfig{MinGraphNodes: -1},
		},
	}
}

// resolveGPU names the GPU and decides its precision.
func (r *Runtime) resolveGPU(p Precision, number int) error {
	gpu, err := describeGPU(number)
	if err != nil {
		return fmt.Errorf("GPU %d: %w", number, err)
	}
	r.Devices[len(r.Devices)-1] += " " + nameOf(gpu) // others round differently
	if r.Precision, err = precisionOn(gpu, p); err != nil {
		return err
	}
	return repeatOnGPU()
}

// configure makes the options of sessions.
func (r *Runtime) configure(config *for_core_protos_go_proto.ConfigProto) (err error) {
	rewrite := config.GraphOptions.RewriteOptions
	if !r.OnGPU() { // these two find nothing to do for a CPU, and take a fifth of a second for a large network
		rewrite.MemoryOptimization = for_core_protos_go_proto.RewriterConfig_NO_MEM_OPT
		rewrite.LayoutOptimizer = for_core_protos_go_proto.RewriterConfig_OFF
	}
	if r.Precision == BFloat16 {
		rewrite.AutoMixedPrecisionOnednnBfloat16 = for_core_protos_go_proto.RewriterConfig_ON
	}
	if r.config, err = sessionOptions(config); err != nil {
		return err
	}
	if r.server != nil {
		r.inference = r.config
		if r.config, err = r.server.shares(config); err != nil {
			return err
		}
	}
	if r.Precision == Float16 {
		rewrite.AutoMixedPrecision = for_core_protos_go_proto.RewriterConfig_ON // on a GPU only
		r.inference, err = sessionOptions(config)
	}
	return err
}

func sessionOptions(config *for_core_protos_go_proto.ConfigProto) (*tf.SessionOptions, error) {
	data, err := proto.Marshal(config)
	return &tf.SessionOptions{Config: data}, err
}

// resolvePrecision decides the precision on a CPU.
func resolvePrecision(p Precision) (Precision, error) {
	switch p {
	case Float32:
		return p, nil
	case BFloat16:
		if !computesBFloat16() {
			return "", pipeline.WithHint(
				pipeline.Errorf(pipeline.BadUsage, "%s bfloat16: TensorFlow would compute in float32 on this machine (%s)", pipeline.Option("precision"), instructions()),
				"bfloat16 needs AVX512 (on arm64 BF16) and oneDNN: unset TF_ENABLE_ONEDNN_OPTS, or use %s float32", pipeline.Option("precision"))
		}
		return p, nil
	case Auto:
		if fastBFloat16() && computesBFloat16() {
			return BFloat16, nil
		}
		return Float32, nil
	case Int8:
		if !computesInt8() {
			return "", pipeline.WithHint(
				pipeline.Errorf(pipeline.BadUsage, "%s int8: TensorFlow has no int8 kernels on this machine (%s)", pipeline.Option("precision"), instructions()),
				"int8 needs Linux on x86-64, and oneDNN: unset TF_ENABLE_ONEDNN_OPTS, or use %s auto", pipeline.Option("precision"))
		}
		return p, nil
	case TF32, Float16:
		return "", pipeline.WithHint(
			pipeline.Errorf(pipeline.BadUsage, "%s %s: needs a GPU", pipeline.Option("precision"), p),
			"on a CPU use %s auto, float32, bfloat16 or int8; a run that is resumed goes on with %s cpu", pipeline.Option("precision"), pipeline.Option("device"))
	}
	return "", badPrecision(p)
}

func badPrecision(p Precision) error {
	return pipeline.Errorf(pipeline.BadUsage, "%s %q: must be auto, float32, tf32, bfloat16, float16 or int8", pipeline.Option("precision"), p)
}

// instructions names the kernels that TensorFlow chooses from: the widest
// instruction set, and oneDNN. Different ones round differently.
func instructions() string {
	switch limit := oneDNNLimit(); {
	case !oneDNN():
		return instructionSet()
	case limit != "":
		return instructionSet() + "+onednn:" + limit
	}
	return instructionSet() + "+onednn"
}

// devices lists the devices of a session, CPU first: CPU:0, GPU:0.
func devices(config *for_core_protos_go_proto.ConfigProto) ([]string, error) {
	options, err := sessionOptions(config)
	if err != nil {
		return nil, err
	}
	session, err := tensor.NewSession(tf.NewGraph(), options)
	if err != nil {
		return nil, fmt.Errorf("tensorflow: %w", firstLine(err))
	}
	defer session.Close()
	list, err := session.ListDevices()
	if err != nil {
		return nil, fmt.Errorf("tensorflow: %w", firstLine(err))
	}
	var names []string
	for _, d := range list {
		// /job:localhost/replica:0/task:0/device:CPU:0
		if _, name, ok := strings.Cut(d.Name, "/device:"); ok && !strings.HasPrefix(name, "XLA") {
			names = append(names, name)
		}
	}
	return names, nil
}
