package metrics

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"tftl/internal/gz"
	"tftl/pipeline"
)

func TestTablesHaveLimits(t *testing.T) {
	first := strings.Join(start(true), ",")
	var many strings.Builder
	for i := range maxClasses + 1 {
		fmt.Fprintf(&many, ",p(%d)", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a line":     {first + ",p(a),p(b)\n" + strings.Repeat("x", maxRow+1<<16), "t:2: a row of more than 16777216 bytes"},
		"the header": {strings.Repeat("x,", maxRow), "t:1: a row of more than 16777216 bytes"},
		"classes":    {first + many.String() + "\nx,0,0,1,0" + strings.Repeat(",0", maxClasses+1) + "\n", "t:2: 32769 classes are more than the limit of 32768"},
	} {
		var packed bytes.Buffer
		z := gz.NewWriter(&packed)
		if _, err := z.Write([]byte(c.text)); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{[]byte(c.text), packed.Bytes()} {
			_, err := ReadTable(bytes.NewReader(text), "t")
			if pipeline.KindOf(err) != pipeline.BadData || err.Error() != c.want {
				t.Errorf("%s: %.200v, want %s", name, err, c.want)
			}
		}
	}
	var r room
	if err := r.take(Table{Predictions: make([]pipeline.Prediction, maxSamples)}, []string{"x"}); err == nil {
		t.Error("a table has any number of samples")
	}
	if err := r.take(Table{Predictions: make([]pipeline.Prediction, 1_000_000)}, make([]string, 3000)); err == nil {
		t.Error("a table has any number of values")
	}
	if err := r.take(Table{Predictions: make([]pipeline.Prediction, 499_999)}, make([]string, 2005)); err != nil {
		t.Errorf("500,000 samples of 1,000 classes with logits: %v", err)
	}
}

func TestResamplesAreLimitedByClasses(t *testing.T) {
	table := Table{Classes: []string{"a", "b"}, Predictions: []pipeline.Prediction{{Probabilities: []float32{1, 0}}}}
	_, err := Evaluate(t.Context(), table, Options{Resamples: 1 << 40})
	if pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), "resamples 1099511627776: too many for ") {
		t.Error(err)
	}
	table.Classes = make([]string, maxClasses+1)
	table.Predictions[0].Probabilities = make([]float32, maxClasses+1)
	if _, err := Evaluate(t.Context(), table, Options{}); pipeline.KindOf(err) != pipeline.BadData {
		t.Error(err)
	}
}
