package savedmodels

import (
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

func TestCheck(t *testing.T) {
	want := []Signature{{"step", []Tensor{{"features", "float32", []int64{-1, 32}}}, []Tensor{{"loss", "float32", []int64{}}}}}
	with := func(change func(*Signature)) []Signature {
		s := Signature{"step", slices.Clone(want[0].Inputs), slices.Clone(want[0].Outputs)}
		change(&s)
		return []Signature{{Name: "before"}, s}
	}
	for name, test := range map[string]struct {
		have  []Signature
		error string // empty for none
	}{
		"the same":       {with(func(*Signature) {}), ""},
		"more inputs":    {with(func(s *Signature) { s.Inputs = append(s.Inputs, Tensor{Name: "other"}) }), ""},
		"more outputs":   {with(func(s *Signature) { s.Outputs = append(s.Outputs, Tensor{Name: "other"}) }), ""},
		"unknown width":  {with(func(s *Signature) { s.Inputs[0].Shape = []int64{-1, -1} }), ""},
		"unknown rank":   {with(func(s *Signature) { s.Inputs[0].Shape = nil }), ""},
		"nothing":        {nil, `signature "step" is missing`},
		"another name":   {with(func(s *Signature) { s.Name = "Step" }), `signature "step" is missing`},
		"no input":       {with(func(s *Signature) { s.Inputs = nil }), `signature "step" has no input "features"`},
		"no output":      {with(func(s *Signature) { s.Outputs[0].Name = "loss:0" }), `signature "step" has no output "loss"`},
		"another dtype":  {with(func(s *Signature) { s.Inputs[0].DType = "float64" }), `signature "step": input is features float64[?,32], but the contract needs features float32[?,32]`},
		"another width":  {with(func(s *Signature) { s.Inputs[0].Shape = []int64{-1, 33} }), "features float32[?,33]"},
		"another rank":   {with(func(s *Signature) { s.Inputs[0].Shape = []int64{-1, 32, 1} }), "features float32[?,32,1]"},
		"not a scalar":   {with(func(s *Signature) { s.Outputs[0].Shape = []int64{1} }), "output is loss float32[1], but the contract needs loss float32[]"},
		"a fixed number": {with(func(s *Signature) { s.Inputs[0].Shape = []int64{8, 32} }), "features float32[8,32]"},
	} {
		err := check(test.have, want)
		switch {
		case test.error == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.error != "" && (pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), test.error)):
			t.Errorf("%s: got %v, want %q", name, err, test.error)
		}
	}
}

// Every signature of the contract but explain is required, and all of them with all
// inputs and outputs.
func TestCheckTrainingAsksForAll(t *testing.T) {
	m := load(t, copyModel(t, "tiny"))
	info, err := m.Stage("block2")
	if err != nil {
		t.Fatal(err)
	}
	whole := func() []Signature { return signatures(metaGraph(m.saved, tagTrain, "block2")) }
	if err := checkTraining(whole(), m.Description, info); err != nil {
		t.Fatal(err)
	}
	without := func(list []Tensor, i int) []Tensor { return slices.Delete(slices.Clone(list), i, i+1) }
	checked := 0
	for s, signature := range whole() {
		missing := slices.Delete(whole(), s, s+1)
		if err := checkTraining(missing, m.Description, info); (err == nil) != (signature.Name == signatureExplain) {
			t.Errorf("without %s: %v", signature.Name, err)
		}
		for i, tensor := range signature.Inputs {
			have := whole()
			have[s].Inputs = without(have[s].Inputs, i)
			if err := checkTraining(have, m.Description, info); err == nil || !strings.Contains(err.Error(), tensor.Name) {
				t.Errorf("input %s of %s: %v", tensor.Name, signature.Name, err)
			}
			checked++
		}
		for i, tensor := range signature.Outputs {
			have := whole()
			have[s].Outputs[i].DType = "string"
			if err := checkTraining(have, m.Description, info); err == nil || !strings.Contains(err.Error(), tensor.Name) {
				t.Errorf("output %s of %s: %v", tensor.Name, signature.Name, err)
			}
			checked++
		}
	}
	if checked != 51 {
		t.Errorf("%d inputs and outputs of eight signatures, want 51", checked)
	}
}

func TestTensorsReadAsInTensorFlow(t *testing.T) {
	for want, tensor := range map[string]Tensor{
		"images float32[?,32,32,3]": {"images", "float32", []int64{-1, 32, 32, 3}},
		"step int64[]":              {"step", "int64", []int64{}},
		"bytes string":              {"bytes", "string", nil},
	} {
		if got := tensor.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
