package savedmodels

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tftl/pipeline"
)

// Precision is the precision of a session's computations.
type Precision string

// The precisions. Float32 equals Keras within rounding. BFloat16 multiplies in
// bfloat16 where that is safe and adds in float32. TF32 exists only on GPUs.
const (
	Auto     Precision = "auto"
	Float32  Precision = "float32"
	BFloat16 Precision = "bfloat16"
	TF32     Precision = "tf32"
)

// Options are the options of a session.
type Options struct {
	Precision Precision // Auto, Float32 or BFloat16
	Threads   int       // within one operation and between operations; 0 for all processors
	Device    string    // "auto", "cpu", "gpu" or "gpu:N"
	Trust     bool      // run any graph, also one that does more than compute
}

// Runtime is what a session uses on this machine.
type Runtime struct {
	TensorFlow   string    `json:"tensorflow"`   // version of the library
	Devices      []string  `json:"devices"`      // TensorFlow's names: CPU:0, GPU:0
	Precision    Precision `json:"precision"`    // never Auto
	Threads      int       `json:"threads"`      // 0 for all processors
	Instructions string    `json:"instructions"` // with +onednn if its kernels are on; part of the feature cache's key
	config       *tf.SessionOptions
	trust        bool
}

// Resolve decides what the options mean on this machine. The decision depends
// only on the device and the instruction set, never on timing, so that runs
// repeat.
func Resolve(o Options) (*Runtime, error) {
	config := &for_core_protos_go_proto.ConfigProto{
		IntraOpParallelismThreads: int32(o.Threads),
		InterOpParallelismThreads: int32(o.Threads),
		GpuOptions:                &for_core_protos_go_proto.GPUOptions{AllowGrowth: true},
		GraphOptions: &for_core_protos_go_proto.GraphOptions{
			// Also of graphs with few nodes: a frozen part with constants has three that are
			// not in functions.
			RewriteOptions: &for_core_protos_go_proto.RewriterConfig{MinGraphNodes: -1},
		},
	}
	if err := pipeline.CheckRange("threads", o.Threads, 0, pipeline.MaxWorkers); err != nil {
		return nil, err
	}
	wantGPU, err := selectDevice(config, o.Device)
	if err != nil {
		return nil, err
	}
	r := &Runtime{TensorFlow: tf.Version(), Threads: o.Threads, Instructions: instructions(), trust: o.Trust}
	if r.Devices, err = devices(config); err != nil && !wantGPU {
		return nil, err
	}
	gpu := len(r.Devices) > 0 && strings.HasPrefix(r.Devices[len(r.Devices)-1], "GPU")
	if wantGPU && !gpu {
		return nil, noGPU(o.Device, r.Devices, err)
	}
	if r.Precision, err = resolvePrecision(o.Precision, gpu); err != nil {
		return nil, err
	}
	switch r.Precision {
	case BFloat16:
		rewrite := config.GraphOptions.RewriteOptions
		if gpu {
			rewrite.AutoMixedPrecision = for_core_protos_go_proto.RewriterConfig_ON
		}
		rewrite.AutoMixedPrecisionOnednnBfloat16 = for_core_protos_go_proto.RewriterConfig_ON
	case Float32:
		if gpu { // CUDA's libraries use TF32 unless this is set before they start
			if err := os.Setenv("NVIDIA_TF32_OVERRIDE", "0"); err != nil {
				return nil, err
			}
		}
	}
	data, err := proto.Marshal(config)
	if err != nil {
		return nil, err
	}
	r.config = &tf.SessionOptions{Config: data}
	return r, nil
}

func selectDevice(config *for_core_protos_go_proto.ConfigProto, device string) (wantGPU bool, err error) {
	kind, number, numbered := strings.Cut(device, ":")
	switch {
	case device == "" || device == "auto":
		return false, nil
	case device == "cpu":
		config.DeviceCount = map[string]int32{"GPU": 0}
		return false, nil
	case kind == "gpu":
		if numbered {
			if n, err := strconv.Atoi(number); err != nil || n < 0 {
				break
			}
			config.GpuOptions.VisibleDeviceList = number
		}
		return true, nil
	}
	return false, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be auto, cpu, gpu or gpu:N", pipeline.Option("device"), device)
}

func resolvePrecision(p Precision, gpu bool) (Precision, error) {
	switch p {
	case Float32:
		return p, nil
	case BFloat16:
		if !gpu && !computesBFloat16() {
			return "", pipeline.WithHint(
				pipeline.Errorf(pipeline.BadUsage, "%s bfloat16: TensorFlow would compute in float32 on this machine (%s)", pipeline.Option("precision"), instructions()),
				"bfloat16 needs AVX512 (on arm64 BF16) and oneDNN: unset TF_ENABLE_ONEDNN_OPTS, or use %s float32", pipeline.Option("precision"))
		}
		return p, nil
	case Auto, "":
		switch {
		case gpu:
			return TF32, nil
		case fastBFloat16() && computesBFloat16():
			return BFloat16, nil
		}
		return Float32, nil
	}
	return "", pipeline.Errorf(pipeline.BadUsage, "%s %q: must be auto, float32 or bfloat16", pipeline.Option("precision"), p)
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
	data, err := proto.Marshal(config)
	if err != nil {
		return nil, err
	}
	session, err := tf.NewSession(tf.NewGraph(), &tf.SessionOptions{Config: data})
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
