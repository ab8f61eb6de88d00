package tftl_test

import (
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The programs in docs/go.md build from another module.
func TestProgramsInTheDocsBuild(t *testing.T) {
	text, err := os.ReadFile("docs/go.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(programs) != 2 {
		t.Fatalf("%d programs", len(programs))
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for i, program := range programs {
		module := t.TempDir()
		for name, text := range map[string]string{
			"main.go": program[1],
			"go.mod":  fmt.Sprintf("module example\n\ngo 1.26.0\n\nrequire tftl v0.0.0\n\nreplace tftl => %s\n", root),
			"go.sum":  string(sums),
		} {
			if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		build := exec.Command("go", "build", "-mod=mod", "-o", os.DevNull, ".")
		build.Dir = module
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("program %d: %v\n%s", i+1, err, out)
		}
		if formatted, err := format.Source([]byte(program[1])); err != nil || string(formatted) != program[1] {
			t.Errorf("program %d is not formatted: %v", i+1, err)
		}
	}
}
