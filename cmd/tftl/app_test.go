package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/command-line.md has the table of exit codes that help prints.
func TestExitCodesInDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "| code | meaning |\n|---|---|\n"
	for _, code := range exitCodes() {
		want += "| " + code.Term + " | " + code.Text + " |\n"
	}
	if !strings.Contains(string(page), want+"\n") {
		t.Errorf("the table should be\n%s", want)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// The exit code says what became of a command that did its work.
func TestExitCodes(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, test := range map[string]struct {
		ctx    context.Context
		stdout io.Writer
		args   []string
		code   int
		said   string
	}{
		"done":                      {t.Context(), io.Discard, []string{"run", "--schema"}, 0, ""},
		"help that is lost":         {t.Context(), full{}, []string{"--help"}, exitFailed, "tftl: no space\n"},
		"a result that is lost":     {t.Context(), full{}, []string{"run", "--schema"}, exitFailed, "tftl: no space\n"},
		"done, but interrupted":     {interrupted, io.Discard, []string{"run", "--schema"}, exitInterrupted, "tftl: interrupted\n"},
		"failed, when interrupted":  {interrupted, io.Discard, []string{"report", nowhere}, exitInterrupted, "tftl: " + nowhere},
		"failed, without interrupt": {t.Context(), io.Discard, []string{"report", nowhere}, exitUsage, "tftl: " + nowhere},
	} {
		var stderr bytes.Buffer
		if code := run(test.ctx, append([]string{"tftl"}, test.args...), test.stdout, &stderr); code != test.code || !strings.HasPrefix(stderr.String(), test.said) {
			t.Errorf("%s: exit code %d, stderr %q", name, code, stderr.String())
		}
	}
}
