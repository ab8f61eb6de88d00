package tftl

import (
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/workflow"
	"tftl/savedmodels"
)

// CUDA's libraries decide once in a process whether there is TF32.
func TestRunsBesideEachOtherOnAGPU(t *testing.T) {
	gpu := &savedmodels.Runtime{Devices: []string{"CPU:0", "GPU:0 NVIDIA H200 (9.0)"}}
	cpu := &savedmodels.Runtime{Devices: []string{"CPU:0"}}
	for _, test := range []struct {
		session, other workflow.Session
		on             *savedmodels.Runtime // of other
		ok             bool
	}{
		{workflow.Session{Precision: "tf32"}, workflow.Session{Precision: "float16"}, gpu, true},
		{workflow.Session{Precision: "float32"}, workflow.Session{Precision: "float32", Threads: 1}, gpu, true},
		{workflow.Session{Precision: "float32"}, workflow.Session{Precision: "auto"}, gpu, false},
		{workflow.Session{Precision: "auto"}, workflow.Session{Precision: "float32"}, gpu, false},
		{workflow.Session{Precision: "auto", Device: "cpu"}, workflow.Session{Precision: "float32"}, gpu, true},
		{workflow.Session{Precision: "auto"}, workflow.Session{Precision: "float32"}, cpu, true},
		{workflow.Session{Device: "gpu:1"}, workflow.Session{Device: "gpu:0"}, gpu, false},
		{workflow.Session{Device: "gpu:0"}, workflow.Session{Device: "auto"}, gpu, true},
		{workflow.Session{GPUMemory: 1 << 30}, workflow.Session{}, gpu, false},
		{workflow.Session{GPUMemory: 1 << 30}, workflow.Session{GPUMemory: 1 << 30, Threads: 1}, gpu, true},
		{workflow.Session{Device: "cpu"}, workflow.Session{GPUMemory: 1 << 30}, gpu, true},
	} {
		err := beside(test.session, map[workflow.Session]*savedmodels.Runtime{test.other: test.on})
		if (err == nil) != test.ok || err != nil && pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%+v beside %+v on %v: %v", test.session, test.other, test.on.Devices, err)
		}
	}
}
