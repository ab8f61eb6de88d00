package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
)

// A path stands in the document as it is, and what is not finite is null.
func TestFitJSON(t *testing.T) {
	f := report.Fit{
		Run: "runs/a&b", Model: "runs/a&b/model", GuessLoss: math.Inf(1), Stopped: true,
		History: []pipeline.Epoch{{Stage: "head", Epoch: 1}}, Best: pipeline.Epoch{Stage: "head", Epoch: 1},
	}
	best, err := json.Marshal(f.Best)
	trial, err2 := json.Marshal(rundir.Trial{})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"best":%s,"depth":null,"epochs":1,"finished":false,"guess_loss":null,"model":"runs/a&b/model","run":"runs/a&b"`, best)
	tuned := fmt.Sprintf(`,"tune":{"chosen":%s,"default":%[1]s,"monitor":"val_loss","settings":1}`, trial)
	for _, test := range []struct {
		tuning *rundir.Tuning
		want   string
	}{
		{nil, want + "}\n"},
		{&rundir.Tuning{Monitor: "val_loss", Settings: make([]rundir.Trial, 1)}, want + tuned + "}\n"},
	} {
		f.Tuning = test.tuning
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(f); err != nil || b.String() != test.want {
			t.Errorf("%s, %v, want\n%s", b.String(), err, test.want)
		}
	}
}
