package savedmodels

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
)

// fuzzed is a folder with the small files of a model, for fuzzers that replace one.
func fuzzed(f *testing.F, name string) (dir string) {
	f.Helper()
	dir = filepath.Join(f.TempDir(), "model")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, name))); err != nil {
		f.Fatalf("%v (make testdata makes it)", err)
	}
	return dir
}

// loads loads a model without TensorFlow. An error is one line and blames the model.
func loads(t *testing.T, dir string) {
	t.Helper()
	m, err := Load(dir, nil)
	if err != nil {
		if strings.Contains(err.Error(), "\n") || pipeline.KindOf(err) != pipeline.BadModel {
			t.Errorf("%v: %q", pipeline.KindOf(err), err)
		}
		return
	}
	m.MetaGraphs()
	_ = m.LacksForTraining()
	_, _ = m.Stage("head")
}

// FuzzSavedModel reads any bytes as saved_model.pb.
func FuzzSavedModel(f *testing.F) {
	dir := fuzzed(f, "keras-softmax")
	path := filepath.Join(dir, "saved_model.pb")
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("\x08\x01\x12\x00"))                                 // an empty MetaGraph
	f.Add([]byte("\x12\x0b\x0a\x07\x22\x05train\x12\x00"))            // tags alone
	f.Add([]byte("\x12\x0a\x2a\x08\x0a\x04step\x12\x00"))             // an empty signature
	f.Add([]byte("\x12\x08\x12\x06\x0a\x04\x0a\x00\x12\x00"))         // a node without a name
	f.Add([]byte("\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x08\x01")) // a length that wraps around
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		saved, err := readSavedModel(dir)
		if err == nil {
			for _, def := range saved.metaGraphs {
				_, _ = def.graphDef()
				signatures(def)
			}
		}
		loads(t, dir)
	})
}

// FuzzDescription reads any text as tftl.json, beside a graph that is as it should be.
func FuzzDescription(f *testing.F) {
	dir := fuzzed(f, "tiny-gap")
	path := filepath.Join(dir, "assets.extra", "tftl.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	for key, value := range map[string]any{"contract": -1, "stages": []any{}, "input": map[string]any{"size": []int{1 << 40, 3}}, "labels": []string{"a", "a"}} {
		var changed map[string]any
		if err := json.Unmarshal(whole, &changed); err != nil {
			f.Fatal(err)
		}
		changed[key] = value
		text, err := json.Marshal(changed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		loads(t, dir)
	})
}
