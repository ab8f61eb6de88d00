package savedmodels

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConstantsAreTakenWhereTheyHold(t *testing.T) {
	m := load(t, filepath.Join(fixtures, "normalized"))
	images := noise(6, 3)
	prefix := func(name string) string { return filepath.Join(t.TempDir(), name) }

	s := openStage(t, m, "head", 3)
	head := s.(*stage)
	if head.features != signatureConstant {
		t.Fatalf("a model as it was exported computes %q", head.features)
	}
	constant := features(t, s, images).Data
	whole, err := open(m.Dir, head.def, m.Runtime)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.close()
	variable, err := whole.transform(t.Context(), signatureFeatures, "images", images, "features")
	if err != nil || !near(variable[0].Data, constant) {
		t.Errorf("constants give\n%v, variables\n%v, %v", constant, variable, err)
	}
	held, err := whole.call(t.Context(), signatureConstants, nil, "hold")
	if err != nil || !held[0].Value().(bool) {
		t.Errorf("the export says of its constants: %v, %v", held, err)
	}
	exported := prefix("exported")
	if err := s.Save(t.Context(), exported); err != nil {
		t.Fatal(err)
	}

	// Different weights below the cut: those that the deepest stage has trained.
	all := openStage(t, m, "all", 3)
	pixels := features(t, all, images)
	for range 20 {
		step(t, all, pixels)
	}
	tuned := prefix("tuned")
	if err := all.Save(t.Context(), tuned); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), tuned); err != nil {
		t.Fatal(err)
	}
	other := features(t, s, images)
	if head.features == signatureConstant || near(other.Data, constant) {
		t.Errorf("after another network was restored, %q gives\n%v", head.features, other.Data)
	}
	if got, want := logits(t, s, other), logits(t, all, pixels); !near(got, want) {
		t.Errorf("logits\n%v, the stage that trained the network has\n%v", got, want)
	}

	if err := s.Restore(t.Context(), exported); err != nil {
		t.Fatal(err)
	}
	if again := features(t, s, images).Data; !slices.Equal(again, constant) {
		t.Errorf("with the first network back, features are\n%v, were\n%v", again, constant)
	}
}

// Constants and variables give features that differ in the last bits, so they
// must not share cache entries.
func TestConstantsHaveAFeatureSpaceOfTheirOwn(t *testing.T) {
	m := load(t, copyModel(t, "normalized"))
	with, err := m.FeatureSpace("head", "")
	if err != nil {
		t.Fatal(err)
	}
	head := metaGraph(m.saved, tagTrain, "head").SignatureDef
	delete(head, signatureConstant)
	delete(head, signatureConstants)
	without, err := m.FeatureSpace("head", "")
	if err != nil || with == without {
		t.Errorf("with constants and without: %s, %v", with, err)
	}
	if deeper, err := m.FeatureSpace("all", ""); err != nil || strings.Contains(deeper, "constants") {
		t.Errorf("a deeper stage: %s, %v", deeper, err)
	}
}

// The constants are those of the variables with which the network was exported.
func TestConstantsOfOtherVariablesAreNotTaken(t *testing.T) {
	dir := copyModel(t, "normalized")
	with, err := load(t, dir).FeatureSpace("head", "")
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, dir)
	m.Description.Weights.VariablesSHA256 = "another"
	if s := openStage(t, m, "head", 3).(*stage); s.features != signatureFeatures {
		t.Errorf("it computes %q", s.features)
	}
	if without, err := m.FeatureSpace("head", ""); err != nil || without == with || strings.Contains(without, "constants") {
		t.Errorf("feature space %s, %v", without, err)
	}
}

func TestConstantsAreOptional(t *testing.T) {
	m := load(t, copyModel(t, "normalized"))
	info, err := m.Stage("head")
	if err != nil {
		t.Fatal(err)
	}
	whole := signatures(metaGraph(m.saved, tagTrain, "head"))
	without := func(names ...string) []Signature {
		return slices.DeleteFunc(slices.Clone(whole), func(s Signature) bool { return slices.Contains(names, s.Name) })
	}
	for name, test := range map[string]struct {
		have []Signature
		want string // empty if it is valid
	}{
		"both":            {whole, ""},
		"neither":         {without(signatureConstant, signatureConstants), ""},
		"nothing to ask":  {without(signatureConstants), `signature "constants_hold" is missing`},
		"nothing to take": {without(signatureConstant), ""},
	} {
		err := checkTraining(test.have, m.Description, info)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}
