package ui

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneLine(t *testing.T) {
	if got := OneLine(errors.Join(errors.New("a"), errors.New("b")).Error()); got != "a; b" {
		t.Errorf("got %q", got)
	}
}

// Quiet hides messages but not warnings; the log file has both.
func TestTerminal(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		var out, stderr bytes.Buffer
		log := filepath.Join(t.TempDir(), "log")
		terminal, err := NewTerminal(&out, &stderr, quiet).WithLog(log)
		if err != nil {
			t.Fatal(err)
		}
		terminal.Say("hello %d", 1)
		terminal.Warn("careful\x1b[2J")
		NewBar(terminal).Draw("train", "training", 1, 2) // not a terminal: nothing is drawn
		if err := terminal.CloseLog("broken"); err != nil {
			t.Error(err)
		}
		if text := stderr.String(); out.Len() > 0 || strings.Contains(text, "hello 1\n") == quiet ||
			!strings.Contains(text, "tftl: warning: careful") || strings.Contains(text, "\x1b") || strings.Contains(text, "training") {
			t.Errorf("quiet %v: stdout %q, stderr %q", quiet, out.String(), text)
		}
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"level=INFO msg=\"hello 1\"", "level=WARN", "level=ERROR msg=broken"} {
			if !strings.Contains(string(data), want) {
				t.Errorf("quiet %v: %q is not in the log:\n%s", quiet, want, data)
			}
		}
	}
}
