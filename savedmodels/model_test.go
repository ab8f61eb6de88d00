package savedmodels

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tftl/pipeline"
)

const fixtures = "../build/testdata"

// resolve returns a session in float32 on one thread, so that results repeat.
func resolve(t *testing.T) *Runtime {
	t.Helper()
	r, err := Resolve(Options{Precision: Float32, Threads: 1, Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func load(t *testing.T, dir string) *Model {
	t.Helper()
	m, err := Load(dir, resolve(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// copyModel copies a fixture, so that it can be changed.
func copyModel(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model [1]") // must not be taken for a pattern
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, name))); err != nil {
		t.Fatalf("%v (make test makes it)", err)
	}
	return dir
}

// sealAgain renews the digests of a model's files.
func sealAgain(t *testing.T, dir string) {
	t.Helper()
	if err := seal(dir); err != nil {
		t.Fatal(err)
	}
}

// describe changes a model's tftl.json.
func describe(t *testing.T, dir string, change func(map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, "assets.extra", "tftl.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	change(d)
	if text, err = json.Marshal(d); err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text))
	sealAgain(t, dir)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	m := load(t, copyModel(t, "tiny"))
	if err := m.Trainable(); err != nil {
		t.Error(err)
	}
	d := m.Description
	if d.Backbone != "tiny" || d.Input.Size != [2]int{32, 32} || !slices.Equal(d.Optimizers, []string{"adam", "sgd", "rmsprop", "adamw", "nesterov"}) {
		t.Errorf("description %+v", d)
	}
	var tags []string
	for _, g := range m.MetaGraphs() {
		tags = append(tags, g.Tags)
	}
	if want := []string{"serve", "train,head", "train,block2", "train,block1"}; !slices.Equal(tags, want) {
		t.Errorf("MetaGraphs %v, want %v", tags, want)
	}
	info, err := m.Stage("block2")
	if err != nil || !slices.Equal(info.Features, []int64{8, 8, 4}) {
		t.Errorf("block2 is %+v, %v", info, err)
	}
	_, err = m.Stage("block9")
	if pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), "head, block2, block1") {
		t.Errorf("an unknown stage: %v", err)
	}
}

// All of these are found before anything runs.
func TestLoadRefuses(t *testing.T) {
	type change func(t *testing.T, dir string)
	within := func(name string) func(string) string {
		return func(dir string) string { return filepath.Join(dir, name) }
	}
	pb, index, about := within("saved_model.pb"), within("variables/variables.index"), within("assets.extra/tftl.json")
	describing := func(key string, value any) change {
		return func(t *testing.T, dir string) { describe(t, dir, func(d map[string]any) { d[key] = value }) }
	}
	for name, test := range map[string]struct {
		fixture string
		change  change
		want    string
	}{
		"no folder": {"tiny", func(t *testing.T, dir string) { remove(t, dir) }, "no such file"},
		"a file":    {"tiny", func(t *testing.T, dir string) { remove(t, dir); write(t, dir, "") }, "is not a folder"},
		"no graph":  {"tiny", func(t *testing.T, dir string) { remove(t, pb(dir)) }, "is not a SavedModel: it has no saved_model.pb"},
		"garbage":   {"tiny", func(t *testing.T, dir string) { write(t, pb(dir), "garbage") }, "cannot be parsed"},
		"empty":     {"tiny", func(t *testing.T, dir string) { write(t, pb(dir), "") }, "cannot be parsed"},
		"a pipe": {"tiny", func(t *testing.T, dir string) {
			remove(t, pb(dir))
			if err := syscall.Mkfifo(pb(dir), 0o666); err != nil {
				t.Fatal(err)
			}
		}, "is a pipe, not a file"},
		"a folder":     {"tiny", func(t *testing.T, dir string) { remove(t, pb(dir)); os.Mkdir(pb(dir), 0o777) }, "is a folder, not a file"},
		"no variables": {"tiny", func(t *testing.T, dir string) { remove(t, filepath.Dir(index(dir))) }, "variables are missing"},
		"no index":     {"tiny", func(t *testing.T, dir string) { remove(t, index(dir)) }, "variables are missing"},
		"no shard": {"tiny", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "variables/variables.data-00000-of-00001"))
		}, "variables are missing"},
		"JSON":           {"tiny", func(t *testing.T, dir string) { write(t, about(dir), "{") }, "tftl.json: unexpected end of JSON"},
		"version":        {"tiny", describing("contract", 6), "has version 6 of the training contract; this program needs 2 to 5"},
		"no version":     {"tiny", describing("contract", 0), "has version 0"},
		"size":           {"tiny", describing("input", map[string]any{"size": []int{0, 32}}), "input size [0 32]: must be 1 or more"},
		"huge size":      {"tiny", describing("input", map[string]any{"size": []int{100000, 100000}}), "input size [100000 100000]: must be at most 16384"},
		"interpolation":  {"tiny", describing("input", map[string]any{"size": []int{32, 32}, "interpolation": "wild"}), `input interpolation "wild": must be bilinear`},
		"hidden layers":  {"tiny", describing("head", map[string]any{"hidden": 1 << 40}), "hidden layers: must be 0 to 16384"},
		"features":       {"tiny", describing("stages", []map[string]any{{"name": "head", "features": []int{1 << 27, 1 << 27}}}), "features [134217728 134217728]: must be at most"},
		"one label":      {"tiny", describing("labels", []string{"a"}), "has 1 labels"},
		"equal labels":   {"tiny", describing("labels", []string{"a", "b", "a"}), "labels: must be distinct names"},
		"another size":   {"tiny", describing("input", map[string]any{"size": []int{64, 32}, "interpolation": "bilinear"}), `signature "serving_default": input is images float32[?,32,32,3], but the contract needs images float32[?,64,32,3]`},
		"stage's name":   {"tiny", describing("stages", []map[string]any{{"name": "block7", "features": []int{32}}}), "has no MetaGraph with the tags train, block7"},
		"cut's shape":    {"tiny", describing("stages", []map[string]any{{"name": "head", "features": []int{31}}}), `stage head: signature "features": output is features float32[?,32], but the contract needs features float32[?,31]`},
		"no step":        {"broken/no-step", nil, `stage head: signature "step" is missing`},
		"no head":        {"broken/no-head", nil, "has no MetaGraph with the tags train, head"},
		"no MetaGraphs":  {"broken/no-graphs", nil, "cannot be parsed"},
		"dtype":          {"broken/dtype", nil, `stage head: signature "step": input is targets int32[?,?], but the contract needs targets float32[?,?]`},
		"features shape": {"broken/shape", nil, `stage head: signature "features": output is features float32[?,33], but the contract needs features float32[?,32]`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyModel(t, test.fixture)
			if test.change != nil {
				test.change(t, dir)
			}
			_, err := Load(dir, nil)
			if pipeline.KindOf(err) != pipeline.BadModel {
				t.Fatalf("got %v, want an error of kind BadModel", err)
			}
			if m := err.Error(); !strings.HasPrefix(m, "model") || !strings.Contains(m, dir) || !strings.Contains(m, test.want) || strings.Contains(m, "\n") {
				t.Errorf("says %q, want %q and the folder in one line", m, test.want)
			}
		})
	}
}

func TestModelsThatCannotBeTrained(t *testing.T) {
	plain := load(t, filepath.Join(fixtures, "keras-softmax"))
	if plain.Description != nil {
		t.Error("a plain SavedModel has a description")
	}
	for name, m := range map[string]*Model{
		`"step" is missing`: plain,
		"trained model":     {Dir: "run/model", Description: &Description{Labels: []string{"a", "b"}}},
	} {
		err := m.Trainable()
		if pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), name) || pipeline.HintOf(err).Empty() {
			t.Errorf("got %v, want %s and a hint", err, name)
		}
		if _, err := m.Open(t.Context(), "head"); pipeline.KindOf(err) != pipeline.BadModel {
			t.Errorf("opened it: %v", err)
		}
	}
}

func TestGraphThatCannotBeLoaded(t *testing.T) {
	dir := copyModel(t, "tiny")
	write(t, filepath.Join(dir, "variables", "variables.index"), "garbage")
	sealAgain(t, dir)
	_, err := load(t, dir).Open(t.Context(), "head")
	if pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), "model "+dir+": cannot load train, head: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// The space has everything that determines the exact values of features, and
// nothing else.
func TestFeatureSpace(t *testing.T) {
	space := func(m *Model, stage string) string {
		t.Helper()
		s, err := m.FeatureSpace(stage, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	dir := copyModel(t, "tiny")
	base := space(load(t, dir), "head")
	if got := space(load(t, copyModel(t, "tiny")), "head"); got != base {
		t.Errorf("a copy of the model elsewhere has\n%s, want\n%s", got, base)
	}

	// Older exports have no fit.
	older := copyModel(t, "tiny")
	describe(t, older, func(d map[string]any) { delete(d["input"].(map[string]any), "fit") })
	if got := space(load(t, older), "head"); got != base {
		t.Errorf("without a fit the model has\n%s, want\n%s", got, base)
	}

	other := map[string]string{"stage": space(load(t, dir), "block2"), "head's pooling": space(load(t, copyModel(t, "tiny-gap")), "head")}
	for name, change := range map[string]func(*Runtime){
		"precision":    func(r *Runtime) { r.Precision = BFloat16 },
		"TensorFlow":   func(r *Runtime) { r.TensorFlow = "2.0.0" },
		"instructions": func(r *Runtime) { r.Instructions = "avx" },
		"device":       func(r *Runtime) { r.Devices = append(r.Devices, "GPU:0") },
	} {
		m := load(t, dir)
		change(m.Runtime)
		other[name] = space(m, "head")
	}
	for name, change := range map[string]func(map[string]any){
		"interpolation": func(d map[string]any) { d["input"].(map[string]any)["interpolation"] = "area" },
		"fit":           func(d map[string]any) { d["input"].(map[string]any)["fit"] = "crop" },
		"weights":       func(d map[string]any) { d["stages"].([]any)[0].(map[string]any)["frozen_sha256"] = "0" },
	} {
		changed := copyModel(t, "tiny")
		describe(t, changed, change)
		other[name] = space(load(t, changed), "head")
	}
	// Variables that do not match the recorded digest.
	changed := copyModel(t, "tiny")
	variables := filepath.Join(changed, "variables", "variables.data-00000-of-00001")
	data, err := os.ReadFile(variables)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	write(t, variables, string(data))
	sealAgain(t, changed)
	other["a bit of the variables"] = space(load(t, changed), "head")

	// Another operation, constant or order in the graph that computes the features.
	for name, change := range map[string]func(*functionPB){
		"an operation": func(f *functionPB) { replaceOperation(f, "Relu", "Softplus") },
		"a constant": func(f *functionPB) {
			for _, node := range f.NodeDef {
				if content := node.GetAttr()["value"].GetTensor(); node.Op == "Const" && len(content.GetFloatVal()) == 1 {
					content.FloatVal[0]++
				}
			}
		},
	} {
		m := load(t, dir)
		changeFunctions(t, m, "head", change)
		other[name] = space(m, "head")
	}

	seen := map[string]string{base: "the model"}
	for name, s := range other {
		if with, twice := seen[s]; twice {
			t.Errorf("%s makes no difference from %s", name, with)
		}
		seen[s] = name
	}

	threads := load(t, dir)
	threads.Runtime.Threads = 7
	if space(threads, "head") != base {
		t.Error("the number of threads makes a difference")
	}
}

func TestResolve(t *testing.T) {
	for _, o := range []Options{
		{Threads: -1}, {Device: "tpu"}, {Device: "gpu:x"}, {Device: "gpu:-1"}, {Precision: "half"}, {Precision: TF32},
	} {
		if _, err := Resolve(o); pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%+v: got %v, want an error of kind BadUsage", o, err)
		}
	}
	r, err := Resolve(Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Precision == Auto || r.Precision == "" || !slices.Equal(r.Devices, []string{"CPU:0"}) || r.TensorFlow == "" || r.Instructions == "" {
		t.Errorf("resolved to %+v", r)
	}
}

func TestPanicsOfTfgoAreErrors(t *testing.T) {
	cause := errors.New("no operation\n\t [[{{node x}}]]")
	for _, p := range []any{cause, "no operation\nwith a stack", cause.Error()} {
		if err := try(func() { panic(p) }); err == nil || err.Error() != "no operation" {
			t.Errorf("a panic of %q became %v", p, err)
		}
	}
	if err := try(func() {}); err != nil {
		t.Errorf("no panic became %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a bug of ours was taken for an error of TensorFlow's")
		}
	}()
	_ = try(func() { _ = []int{}[len(os.Args)+1000] })
}
