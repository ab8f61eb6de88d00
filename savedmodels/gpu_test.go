package savedmodels

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"tftl/internal/cuda"
	"tftl/pipeline"
)

func TestPrecisionOnAGPU(t *testing.T) {
	h200, p100 := cuda.Device{Name: "NVIDIA H200", Major: 9}, cuda.Device{Name: "Tesla P100", Major: 6}
	for _, test := range []struct {
		gpu      cuda.Device
		asked    Precision
		override string // of TF32
		want     string // of the precision or of its error
	}{
		{h200, Auto, "", "tf32"},
		{h200, Auto, "0", "float32"},
		{h200, Float32, "0", "float32"},
		{h200, TF32, "", "tf32"},
		{h200, TF32, "0", "precision tf32: NVIDIA_TF32_OVERRIDE=0 turns TF32 off"},
		{h200, Float16, "", "float16"},
		{p100, Float16, "", "precision float16: TensorFlow would compute in float32 on Tesla P100 (6.0)"},
		{h200, BFloat16, "", "precision bfloat16: TensorFlow has it for CPUs only"},
		{h200, "half", "", `precision "half": must be auto, float32, tf32, bfloat16, float16 or int8`},
	} {
		t.Setenv(tf32Override, test.override)
		got, err := precisionOn(test.gpu, test.asked)
		if err != nil {
			got = Precision(err.Error())
		}
		if string(got) != test.want {
			t.Errorf("%s on %s, override %q: %s, want %s", test.asked, test.gpu.Name, test.override, got, test.want)
		}
	}
}

func TestSelectDevice(t *testing.T) {
	for device, want := range map[string]string{"auto": "0", "": "0", "gpu": "0", "gpu:0": "0", "gpu:3": "3", "cpu": ""} {
		config := sessionConfig(0)
		wantGPU, _, err := selectDevice(config, Options{Device: device, GPUMemory: 4e9})
		if err != nil || wantGPU != strings.HasPrefix(device, "gpu") || config.GetGpuOptions().GetVisibleDeviceList() != want {
			t.Errorf("%q: visible %q, want %q; %v, %v", device, config.GetGpuOptions().GetVisibleDeviceList(), want, wantGPU, err)
		}
		if device == "cpu" {
			if config.DeviceCount["GPU"] != 0 || config.GpuOptions != nil {
				t.Errorf("cpu has a GPU: %v", config)
			}
			continue
		}
		// TensorFlow wants one entry for each visible GPU.
		limits := config.GetGpuOptions().GetExperimental().GetVirtualDevices()
		if len(limits) != 1 || !slices.Equal(limits[0].GetMemoryLimitMb(), []float32{3814}) || !config.GetGpuOptions().GetAllowGrowth() {
			t.Errorf("%q: 4 GB became %v", device, config.GetGpuOptions())
		}
	}
}

// float16 returns a runtime as that of float16 on a GPU: it has other options for the
// frozen part. Here they are those of bfloat16.
func float16(t *testing.T) *Runtime {
	t.Helper()
	if !computesBFloat16() {
		t.Skip("this processor has no other precision")
	}
	r := float32CPU(t)
	config := sessionConfig(0)
	config.GraphOptions.RewriteOptions.AutoMixedPrecisionOnednnBfloat16 = for_core_protos_go_proto.RewriterConfig_ON
	var err error
	if r.inference, err = sessionOptions(config); err != nil {
		t.Fatal(err)
	}
	return r
}

// Only the frozen part computes in float16, in both ways to open a stage: with the
// frozen part as constants, and with weights of a checkpoint in a graph of its own.
func TestFloat16IsForTheFrozenPart(t *testing.T) {
	half := float16(t)
	checkpoint := filepath.Join(t.TempDir(), "ckpt")
	for _, name := range []string{"normalized", "tiny"} {
		exact := load(t, copyModel(t, name))
		rounded := load(t, exact.Dir)
		exact.Runtime, rounded.Runtime = float32CPU(t), half
		a, b := openStage(t, exact, "head", 3), openStage(t, rounded, "head", 3)
		compare := func(when string) {
			images := noise(4, 3)
			fa, fb := features(t, a, images), features(t, b, images)
			if d := distance(fa.Data, fb.Data); d == 0 || d > 0.01 {
				t.Errorf("%s, %s: features differ by %g of their size", name, when, d)
			}
			images.Shape, images.Data = fa.Shape, fa.Data
			if za, zb := logits(t, a, images), logits(t, b, images); !slices.Equal(za, zb) {
				t.Errorf("%s, %s: logits %v and %v", name, when, za[:3], zb[:3])
			}
			if ra, rb := step(t, a, images), step(t, b, images); ra.Loss != rb.Loss {
				t.Errorf("%s, %s: losses %v and %v", name, when, ra.Loss, rb.Loss)
			}
		}
		compare("new")
		// A checkpoint whose frozen part is not the exported one.
		deeper := openStage(t, exact, exact.Description.Stages[len(exact.Description.Stages)-1].Name, 3)
		images := noise(4, 3)
		f := features(t, deeper, images)
		images.Shape, images.Data = f.Shape, f.Data
		for range 5 {
			step(t, deeper, images)
		}
		if err := deeper.Save(t.Context(), checkpoint); err != nil {
			t.Fatal(err)
		}
		before := features(t, b, noise(4, 3)).Data
		for _, s := range []pipeline.Stage{a, b} {
			if err := s.Restore(t.Context(), checkpoint); err != nil {
				t.Fatal(err)
			}
		}
		if slices.Equal(before, features(t, b, noise(4, 3)).Data) {
			t.Errorf("%s: the checkpoint did not change the features", name)
		}
		compare("restored")
	}
}

func float32CPU(t *testing.T) *Runtime {
	t.Helper()
	r, err := Resolve(Options{Precision: Float32, Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// distance is the largest difference relative to the largest value.
func distance(a, b []float32) float64 {
	var difference, size float64
	for i := range a {
		difference = max(difference, math.Abs(float64(a[i]-b[i])))
		size = max(size, math.Abs(float64(a[i])))
	}
	return difference / size
}

func TestFailedCallsSayWhatToDo(t *testing.T) {
	const tensorflow = "OOM when allocating tensor with shape[32,64,224,224] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc"
	for _, test := range []struct {
		signature string
		batch     int64
		text      string
		kind      pipeline.Kind
		memory    bool
		hint      string
	}{
		{"step", 32, tensorflow, pipeline.Other, true, "use a smaller batch: batch-size 16"},
		{"step", 1, tensorflow, pipeline.Other, true, ""},
		{"serving_default", 8, "CUBLAS_STATUS_ALLOC_FAILED", pipeline.Other, true, "use a smaller batch: batch-size 4"},
		{"features", 64, "Out of memory while trying to allocate 5 bytes", pipeline.Other, true, "the frozen pass has a batch size of its own"},
		{"step", 32, "Incompatible shapes", pipeline.BadModel, false, ""},
		{"explain", 32, "A deterministic GPU implementation of X is not currently available.", pipeline.Other, false, "set TF_DETERMINISTIC_OPS=0"},
	} {
		err := failed(test.signature, test.batch, errors.New(test.text))
		hint := pipeline.HintOf(err).String()
		names := strings.Contains(err.Error(), fmt.Sprintf("out of memory with a batch of %d images", test.batch))
		if pipeline.KindOf(err) != test.kind || !strings.HasPrefix(hint, test.hint) || (hint == "") != (test.hint == "") || names != test.memory {
			t.Errorf("%s, %s: %v, hint %q", test.signature, test.text, err, hint)
		}
	}
}
