package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// What the tests need from the folder above: make sets it up.
func python(t *testing.T) string   { return found(t, "PYTHON", "../../.venv/bin/python") }
func tftl(t *testing.T) string     { return found(t, "TFTL", "../../bin/tftl") }
func fixtures(t *testing.T) string { return found(t, "FIXTURES", "../../build/testdata") }
func onnxruntime(t *testing.T) string {
	return found(t, "ONNXRUNTIME", "../../.venv/lib/python3.*/site-packages/onnxruntime/capi/libonnxruntime.so.*")
}

// found is the path in an environment variable, or else the one that matches a pattern.
func found(t *testing.T, variable, pattern string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no %s: run make test-serve, or set %s", pattern, variable)
	}
	path, err := filepath.Abs(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// execute runs a command that must succeed and returns its output.
func execute(t *testing.T, words ...string) []byte {
	t.Helper()
	out, err := output(words...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func output(words ...string) ([]byte, error) {
	var faults bytes.Buffer
	command := exec.Command(words[0], words[1:]...)
	command.Stderr = &faults
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%v: %w\n%s", words, err, faults.Bytes())
	}
	return out, err
}

// work is a folder for what all tests share, and shared makes it: a run of a tiny network
// whose decision has everything, its ONNX file, and the programs.
type work struct {
	run, onnx, serve, load string
}

var shared = struct {
	sync.Once
	folder string
}{}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "serve-test-")
	if err != nil {
		panic(err)
	}
	shared.folder = folder
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func setUp(t *testing.T) work {
	t.Helper()
	w := work{shared.folder + "/run", shared.folder + "/onnx/float32.onnx", shared.folder + "/serve", shared.folder + "/load"}
	shared.Do(func() {
		execute(t, "go", "build", "-buildvcs=false", "-o", shared.folder, ".", "./load")
		execute(t, tftl(t), "fit", "--data", fixtures(t)+"/photos", "--model", fixtures(t)+"/tiny", "--output", w.run,
			"--split", "0.4,0.4,0.2", "--epochs", "2", "--lr", "0.01", "--cache", "off", "--precision", "float32")
		w.decide(t, "--novelty", "0.9", "--temperature", "1.5", "--threshold", "0.6", "--abstain", "coverage=0.9", "--conformal", "0.9")
		execute(t, python(t), "../../scripts/convert.py", w.run, "--format", "onnx", "--output", filepath.Dir(w.onnx))
	})
	if _, err := os.Stat(w.onnx); err != nil {
		t.Fatal("setting up has failed in another test")
	}
	return w
}

// decide stores a decision with the run.
func (w work) decide(t *testing.T, flags ...string) {
	t.Helper()
	execute(t, append([]string{tftl(t), "evaluate", "--model", w.run, "--cache", "off", "--precision", "float32"}, flags...)...)
}
