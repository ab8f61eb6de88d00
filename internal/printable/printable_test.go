package printable_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tftl/internal/printable"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"chat noir, 猫":           "chat noir, 猫",
		"a\x1b[2Jb\n":            `a\x1b[2Jb\n`,
		"gpj.\u202excod":         `gpj.\u202excod`,
		"\U0001F469\u200d\u200c": "\U0001F469\u200d\u200c",
		"\xff":                   "\ufffd",
	} {
		if got := printable.Text(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for limit, want := range map[int]string{3: "é…f", 4: "éb…f", 5: "éb…ef", 6: "ébcdef", 60: "ébcdef"} {
		if got := printable.Shorten("ébcdef", limit); got != want {
			t.Errorf("to %d: got %q, want %q", limit, got, want)
		}
	}
}

func TestArgument(t *testing.T) {
	for text, want := range map[string]string{
		"runs/first,lr=1e-3": "runs/first,lr=1e-3",
		"Füße.csv":           "Füße.csv",
		"":                   "''",
		"my run":             "'my run'",
		"it's $HOME":         `'it'\''s $HOME'`,
	} {
		if got := printable.Argument(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x00\u2028\u200d")
	f.Fuzz(func(t *testing.T, text string) {
		got := printable.Text(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%q: got %q", text, got)
		}
	})
}
