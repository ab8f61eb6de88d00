package savedmodels

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"tftl/internal/cuda"
	"tftl/pipeline"
)

// selectDevice writes the device into a session's configuration. A session sees one
// GPU at most. TensorFlow would start all of a machine's.
func selectDevice(config *for_core_protos_go_proto.ConfigProto, o Options) (wantGPU bool, number int, err error) {
	kind, text, numbered := strings.Cut(o.Device, ":")
	switch {
	case o.Device == "" || o.Device == "auto":
	case o.Device == "cpu":
		config.DeviceCount = map[string]int32{"GPU": 0}
		return false, 0, nil
	case kind == "gpu":
		wantGPU = true
		if !numbered {
			break
		}
		if number, err = strconv.Atoi(text); err == nil && number >= 0 {
			break
		}
		fallthrough
	default:
		return false, 0, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be auto, cpu, gpu or gpu:N", pipeline.Option("device"), o.Device)
	}
	// Exports name the CPU for what saves and restores variables, also of those on a GPU.
	config.AllowSoftPlacement = true
	config.GpuOptions = &for_core_protos_go_proto.GPUOptions{AllowGrowth: true, VisibleDeviceList: strconv.Itoa(number)}
	if o.GPUMemory > 0 {
		config.GpuOptions.Experimental = &for_core_protos_go_proto.GPUOptions_Experimental{
			VirtualDevices: []*for_core_protos_go_proto.GPUOptions_Experimental_VirtualDevices{{MemoryLimitMb: []float32{float32(o.GPUMemory >> 20)}}},
		}
	}
	return wantGPU, number, nil
}

// gpuBatch is the batch size of the frozen part on a GPU, which computes more at a time
// than a CPU. VGG16's largest activations of so many images have 0.8 GB.
const gpuBatch = 64

// FrozenBatch is the batch size of the frozen part where features are stored; 0 if the
// device has none of its own. It does not depend on how much memory is free, because
// results do depend on it.
func (r *Runtime) FrozenBatch() int {
	if r.OnGPU() {
		return gpuBatch
	}
	return 0
}

// leastGPUMemory is the least limit of a GPU's memory. With less, not even CUDA's
// libraries start.
const leastGPUMemory = 256 << 20

func checkGPUMemory(limit int64) error {
	if limit != 0 && limit < leastGPUMemory {
		return pipeline.Errorf(pipeline.BadUsage, "%s: must be %d MiB or more", pipeline.Option("gpu-memory"), leastGPUMemory>>20)
	}
	return nil
}

// tf32Override is a variable that CUDA's libraries read when they start: 0 turns TF32
// off in the whole process.
const tf32Override = "NVIDIA_TF32_OVERRIDE"

// repeatOnGPU sets the variables that make a GPU repeat its results. TensorFlow reads
// them when it first runs something. What the user has set stays.
func repeatOnGPU() error {
	for name, value := range map[string]string{
		"TF_DETERMINISTIC_OPS":    "1",       // no sums in the order in which threads happen to finish
		"TF_CUDNN_USE_AUTOTUNE":   "0",       // no choice of an algorithm by timing
		"CUBLAS_WORKSPACE_CONFIG": ":4096:8", // as NVIDIA says for results that repeat
	} {
		if _, set := os.LookupEnv(name); set {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// describeGPU asks the driver about a GPU.
func describeGPU(number int) (cuda.Device, error) {
	path, err := cuda.Load("libcuda.so.1")
	if err != nil {
		return cuda.Device{}, err
	}
	driver, err := cuda.Ask(path)
	if err == nil && number >= len(driver.Devices) {
		err = fmt.Errorf("the driver lists %d", len(driver.Devices))
	}
	if err != nil {
		return cuda.Device{}, err
	}
	return driver.Devices[number], nil
}

// nameOf is the name of a GPU with its compute capability.
func nameOf(gpu cuda.Device) string { return fmt.Sprintf("%s (%d.%d)", gpu.Name, gpu.Major, gpu.Minor) }

// precisionOn decides the precision on a GPU.
func precisionOn(gpu cuda.Device, p Precision) (Precision, error) {
	name, off := pipeline.Option("precision"), os.Getenv(tf32Override) == "0"
	if p == Auto && off {
		return Float32, nil
	}
	switch p {
	case Auto:
		return TF32, nil
	case Float32:
		return p, nil
	case BFloat16:
		return "", pipeline.WithHint(
			pipeline.Errorf(pipeline.BadUsage, "%s bfloat16: TensorFlow has it for CPUs only", name),
			"on a GPU use %s auto, float32, tf32 or float16", name)
	case Int8:
		return "", pipeline.WithHint(
			pipeline.Errorf(pipeline.BadUsage, "%s int8: TensorFlow has it for CPUs only", name),
			"add %s cpu, or use %s auto", pipeline.Option("device"), name)
	case TF32, Float16:
		if off {
			return "", pipeline.WithHint(
				pipeline.Errorf(pipeline.BadUsage, "%s %s: %s=0 turns TF32 off", name, p, tf32Override), "unset it, or use %s float32", name)
		}
		if p == Float16 && gpu.Major < 7 {
			return "", pipeline.WithHint(
				pipeline.Errorf(pipeline.BadUsage, "%s float16: TensorFlow would compute in float32 on %s", name, nameOf(gpu)),
				"float16 needs compute capability 7.0; use %s auto or float32", name)
		}
		return p, nil
	}
	return "", badPrecision(p)
}
