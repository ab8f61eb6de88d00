package savedmodels

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// trained copies an exported network, whose serving graph is that of a trained model.
func trained(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "build", "testdata", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAcceptChangesOnlyTheDecision(t *testing.T) {
	dir := trained(t, "tiny")
	graph, sums := filepath.Join(dir, graphFile), filepath.Join(dir, sealFile)
	exported, seal := read(t, graph), read(t, sums)
	digest, err := Digest(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := Accepting{Temperature: 2, Threshold: 0.25, Confidence: 0.75}
	if knows, err := Accept(dir, a); err != nil || !knows {
		t.Fatal(knows, err)
	}
	changed := read(t, graph)
	places, err := decisions(bytes.Clone(changed))
	if err != nil || len(places) != 2 || !bytes.Equal(places[0], a.values()) || !bytes.Equal(places[1], a.values()) {
		t.Fatalf("the graph has %v: %v", places, err)
	}
	if !bytes.Equal(neutral(changed), exported) {
		t.Error("something else has changed")
	}
	if got, err := Digest(dir); err != nil || got != digest {
		t.Errorf("the digest is now %s, was %s: %v", got, digest, err)
	}
	check := func(when string) {
		t.Helper()
		if err := checkSeal(dir, &Description{Sealed: true}); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	check("a decision")
	if bytes.Contains(read(t, sums), []byte(digestOf(exported))) {
		t.Error("the seal is still of the graph without a decision")
	}
	// Killed after each of the three files was written.
	for when, files := range map[string][2][]byte{
		"new graph, seal of the export": {changed, seal},
		"old graph, seal of the export": {exported, seal},
	} {
		put(t, graph, files[0])
		put(t, sums, files[1])
		check(when)
	}
	if _, err := Accept(dir, Accepting{}); err != nil || !bytes.Equal(read(t, graph), exported) || !bytes.Equal(read(t, sums), seal) {
		t.Errorf("without a decision the model is not as before: %v", err)
	}
	// Any other change is still found.
	exported[len(exported)-1] ^= 1
	put(t, graph, exported)
	if checkSeal(dir, &Description{Sealed: true}) == nil {
		t.Error("a damaged graph is not found")
	}
}

func TestAcceptNeedsAnExportThatHasIt(t *testing.T) {
	dir := trained(t, "keras-softmax")
	if knows, err := Accept(dir, Accepting{Confidence: 0.5}); err != nil || knows {
		t.Errorf("%v, %v", knows, err)
	}
	put(t, filepath.Join(dir, graphFile), []byte("\x12\xff"))
	if _, err := Accept(dir, Accepting{Confidence: 0.5}); err == nil {
		t.Error("a damaged graph is no error")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
