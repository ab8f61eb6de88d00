package workflow_test

import (
	"testing"

	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// A resumed run keeps its precision, unless another device was asked for.
func TestResumedSession(t *testing.T) {
	for _, test := range []struct {
		began, device         string
		wantPrecision, wantOn string
	}{
		{"float32", "auto", "float32", "auto"},
		{"tf32", "auto", "auto", "auto"},
		{"tf32", "cpu", "auto", "cpu"},
		{"bfloat16", "auto", "bfloat16", "cpu"},
		{"bfloat16", "", "bfloat16", "cpu"},
		{"bfloat16", "cpu", "bfloat16", "cpu"},
		{"bfloat16", "gpu:1", "auto", "gpu:1"},
		{"float16", "auto", "float16", "auto"},
		{"float16", "cpu", "auto", "cpu"},
	} {
		s := workflow.Session{Precision: "auto", Device: test.device}.Again(rundir.Runtime{Precision: test.began, Threads: 3})
		if s.Precision != test.wantPrecision || s.Device != test.wantOn || s.Threads != 3 {
			t.Errorf("%s on %q: %+v", test.began, test.device, s)
		}
	}
}
