package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// The help of the program and of each command fits a terminal of 80 columns.
func TestHelpFitsATerminal(t *testing.T) {
	help := func(arguments ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"tftl"}, arguments...), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
			t.Fatalf("%q: exit code %d, stderr %q", arguments, code, stderr.String())
		}
		for line := range strings.Lines(stdout.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%q: %d columns: %s", arguments, n, line)
			}
		}
		return stdout.String()
	}
	_, commands, _ := strings.Cut(help("--help"), "COMMANDS:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	if n := strings.Count(commands, "\n"); n < 10 {
		t.Fatalf("%d commands are listed:\n%s", n, commands)
	}
	for line := range strings.Lines(commands) {
		help(strings.Fields(line)[0], "--help")
	}
}
