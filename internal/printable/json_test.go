package printable

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func TestJSONStaysTheSameDocument(t *testing.T) {
	for _, text := range []string{"", "cat", "\x1b[31mred\x1b[0m", "\u009b31m", "\x7f", "\u202egpj.exe", "ü 猫 \U0001f408\u200d⬛", "\U000f0000", "a\xffb", "two\nlines\ttab"} {
		document := map[string]any{text: []any{text, 1.5}}
		encoded, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		shown := JSON(encoded)
		for _, r := range string(shown) {
			if r != '\n' && !plain(r) {
				t.Errorf("%q has %U", shown, r)
			}
		}
		var before, after any
		if err := json.Unmarshal(encoded, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(shown, &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%s became %s: %v", encoded, shown, err)
		}
	}
}

func TestFprintfEscapesStrings(t *testing.T) {
	var out bytes.Buffer
	if _, err := Fprintf(&out, "%s\t%d %v %s\n", "\x1b[2J", 3, []int64{1}, []string{"a\nb"}); err != nil {
		t.Fatal(err)
	}
	if want := "\\x1b[2J\t3 [1] [a\\nb]\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
