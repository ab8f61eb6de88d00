package yamltext

import (
	"fmt"
	"strings"
	"testing"
)

// laughs is a billion values in nine lines.
func laughs() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		text += fmt.Sprintf("a%d: &a%[1]d [%s]\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text
}

func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestTextsHaveLimits(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"ordinary":        {"a: 1\nb: [1, {c: 2}]\nd:\n  - e\n  - f: g\n", ""},
		"an alias":        {"a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x\n", ""},
		"800 runs":        {"runs:\n" + strings.Repeat("  - {name: a, lr: 1e-3, units: [64, 64]}\n", 800), ""},
		"63 levels":       {stairs(62), ""},
		"bytes":           {strings.Repeat(" ", MaxBytes+1), "has 262145 bytes, more than the limit of 262144"},
		"keys":            {strings.Repeat("a: 1\n", 20000), "[10001:1] has more than 30000 words and signs, the limit"},
		"brackets":        {strings.Repeat("[", 100), "[1:64] is nested more than 64 levels deep, the limit"},
		"braces":          {"a:\n" + strings.Repeat("{b: ", 100), "[2:253] is nested more than 64 levels deep, the limit"},
		"indents":         {stairs(100), "[64:65] is nested more than 64 levels deep, the limit"},
		"lists in a line": {strings.Repeat("- ", 100), "[1:127] is nested more than 64 levels deep, the limit"},
		"keys in a line":  {strings.Repeat("? ", 100), "[1:127] is nested more than 64 levels deep, the limit"},
		"anchors":         {strings.Repeat("&a ", 100), "[1:190] is nested more than 64 levels deep, the limit"},
		"laughs":          {laughs(), "[5:15] has more than 30000 values, the limit, if each alias is replaced by what it stands for"},
		"itself":          {"a: &x [*x]\n", "[1:8] *x is inside &x, so it would never end"},
		"deeper itself":   {"a: &x\n  b: {c: [1, *x]}\n", "[2:14] *x is inside &x, so it would never end"},
		"no anchor":       {"a: *x\n", ""}, // others say so
		"nothing":         {"", ""},
		"syntax":          {"a: [", "[1:4] sequence end token ']' not found\n>  1 | a: [\n          ^\n"},
	} {
		_, err := Parse([]byte(c.text))
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %.200v, want %q", name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"a: 1\nb: [1, {c: 2}]\nd:\n  - e\n", "a: &x [1]\nb: *x\n? c\n: !!str d\n", "---\na: |\n  b\n---\n'c': \"d\\n\"\n", "<<: *x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = Parse(text) })
}
