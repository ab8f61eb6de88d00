package report_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/report"
)

func TestSweep(t *testing.T) {
	s := report.Sweep{Stage: "head", Steps: 30, Points: []pipeline.SweepPoint{{LearningRate: 1e-3, Loss: 0.5}, {LearningRate: 0.1, Loss: math.Inf(1)}}, Suggested: 1e-3}
	var table strings.Builder
	if err := s.WriteTable(&table, func(o pipeline.Option) string { return "the option " + o.String() }); err != nil {
		t.Fatal(err)
	}
	const want = "lr       val_loss\n1.0e-03  0.5000  suggested\n1.0e-01  +Inf\nsuggested: the option lr 1.0e-03\n"
	if table.String() != want {
		t.Errorf("%q, want %q", table.String(), want)
	}
	const document = `{"stage":"head","steps":30,"suggested":0.001,"tried":[{"lr":0.001,"val_loss":0.5},{"lr":0.1,"val_loss":null}]}`
	if got, err := json.Marshal(s); err != nil || string(got) != document {
		t.Errorf("%s, %v, want %s", got, err, document)
	}
}
