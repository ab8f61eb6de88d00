package cli

import (
	"strings"
	"testing"
)

func TestReflow(t *testing.T) {
	word := strings.Repeat("word ", 15) // 15 of them fit
	for text, want := range map[string]string{
		"":                       "",
		"one\ntwo":               "one two",
		"one\n\n   two\n\nthree": "one\n\n   two\n\nthree",
		"one\nCODES:\n   0 done": "one\nCODES:\n   0 done",
		word + word:              strings.TrimSpace(word) + "\n" + strings.TrimSpace(word),
	} {
		if got := reflow(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
