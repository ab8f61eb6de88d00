package rundir_test

import (
	"os"
	"path/filepath"
	"testing"

	"tftl/pipeline/rundir"
)

type decision struct {
	Threshold float64 `json:"threshold"`
}

func TestDecisionGoesWithTheModel(t *testing.T) {
	d := rundir.Dir{Path: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(d.Model(), "assets.extra"), 0o755); err != nil {
		t.Fatal(err)
	}
	read := func(of func(into any) error) float64 {
		t.Helper()
		got := decision{Threshold: -1}
		if err := of(&got); err != nil {
			t.Fatal(err)
		}
		return got.Threshold
	}
	ofModel := func(into any) error { return rundir.ReadModelDecision(d.Model(), into) }
	if run, model := read(d.ReadDecision), read(ofModel); run != -1 || model != -1 {
		t.Errorf("without one: %v and %v", run, model)
	}
	if err := d.WriteDecision(decision{0.25}); err != nil {
		t.Fatal(err)
	}
	if run, model := read(d.ReadDecision), read(ofModel); run != 0.25 || model != 0.25 {
		t.Errorf("the run has %v and its model %v", run, model)
	}
	if err := os.WriteFile(d.File("decision.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.ReadDecision(new(decision)); err == nil {
		t.Error("a damaged one is read")
	}
}
