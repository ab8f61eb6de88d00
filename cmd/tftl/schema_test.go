package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// The schema in docs, which editors use, is the one that the program prints.
func TestSchemaInDocs(t *testing.T) {
	const name = "docs/run.schema.json"
	saved, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"tftl", "run", "--schema"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if stdout.String() == string(saved) {
		return
	}
	want, got := strings.Split(stdout.String(), "\n"), strings.Split(string(saved), "\n")
	at := 0
	for at < min(len(want), len(got))-1 && want[at] == got[at] {
		at++
	}
	t.Errorf("%s:%d is\n%s\nbut tftl run --schema prints\n%s\nRenew it: make && bin/tftl run --schema >%s", name, at+1, got[at], want[at], name)
}
