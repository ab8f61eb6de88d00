package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestEachProcessGetsAGPU(t *testing.T) {
	for _, test := range []struct {
		name    string
		visible string
		set     bool
		found   int
		err     error
		want    string
		says    string
	}{
		{name: "all", found: 4, want: "0 1"},
		{name: "as many as processes", found: 2, want: "0 1"},
		{name: "too few", found: 1, says: "--gpus: 2 processes need as many GPUs, and 1 can be seen"},
		{name: "numbers", visible: "3, 1,0", set: true, found: 3, want: "3 1"},
		{name: "names", visible: "GPU-8932f937,MIG-d80a", set: true, found: 2, want: "GPU-8932f937 MIG-d80a"},
		{name: "one that is not there", visible: "1,9,0", set: true, found: 1, says: "and 1 can be seen"},
		{name: "none", visible: "", set: true, found: 0, says: "and 0 can be seen"},
		{name: "no driver", err: errors.New("libcuda.so.1: not found"), says: "--gpus: there is no GPU: libcuda.so.1: not found"},
	} {
		got, err := chooseGPUs(2, test.visible, test.set, func() (int, error) { return test.found, test.err })
		if test.says == "" && (err != nil || !slices.Equal(got, strings.Fields(test.want))) {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
		if test.says != "" {
			var stderr strings.Builder
			if code := printError(&stderr, err); code != exitUsage || !strings.Contains(stderr.String(), test.says) {
				t.Errorf("%s: exit code %d, %q", test.name, code, stderr.String())
			}
		}
	}
}

// What the processes are told is what resolvers of TensorFlow read.
func TestEnvironmentOfProcesses(t *testing.T) {
	addresses := []string{"127.0.0.1:4001", "127.0.0.1:4002"}
	l := launcher{processes: 2, common: []string{"TFTL_THREADS=4"}, others: []string{"TFTL_QUIET=true"}, gpus: []string{"5", "3"}}
	for task, want := range [][]string{
		{"TFTL_THREADS=4", "CUDA_VISIBLE_DEVICES=5", `TF_CONFIG={"cluster":{"worker":["127.0.0.1:4001","127.0.0.1:4002"]},"task":{"index":0,"type":"worker"}}`, "TF_GRPC_REUSE_PORT=true"},
		{"TFTL_THREADS=4", "TFTL_QUIET=true", "CUDA_VISIBLE_DEVICES=3", `TF_CONFIG={"cluster":{"worker":["127.0.0.1:4001","127.0.0.1:4002"]},"task":{"index":1,"type":"worker"}}`, "TF_GRPC_REUSE_PORT=true"},
	} {
		if got, err := l.environment(task, addresses); err != nil || !slices.Equal(got, want) {
			t.Errorf("task %d: %q, %v", task, got, err)
		}
	}
	alone := launcher{processes: 1}
	if got, err := alone.environment(0, addresses[:1]); err != nil || len(got) > 0 {
		t.Errorf("one process: %q, %v", got, err)
	}
}
