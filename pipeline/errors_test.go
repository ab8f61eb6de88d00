package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestKindAndHintAreFound(t *testing.T) {
	cause := fmt.Errorf("read: %w", fs.ErrNotExist)
	data := Errorf(BadData, "image a.jpg: %w", cause)
	hinted := WithHint(data, "look at %s", "a.jpg")
	for _, test := range []struct {
		name string
		err  error
		kind Kind
		hint string
	}{
		{"nothing", nil, Other, ""},
		{"plain", cause, Other, ""},
		{"kind", data, BadData, ""},
		{"hint", hinted, BadData, "look at a.jpg"},
		{"wrapped", fmt.Errorf("fit: %w", hinted), BadData, "look at a.jpg"},
		{"joined", errors.Join(hinted, errors.New("close")), BadData, "look at a.jpg"},
		{"joined with nothing", errors.Join(hinted, nil), BadData, "look at a.jpg"},
		{"kind anew", Errorf(BadModel, "model: %w", hinted), BadModel, "look at a.jpg"},
		{"hint anew", WithHint(hinted, "outer"), BadData, "outer"},
		{"hint for a plain one", WithHint(cause, "outer"), Other, "outer"},
	} {
		if got := KindOf(test.err); got != test.kind {
			t.Errorf("%s: kind %d, want %d", test.name, got, test.kind)
		}
		if got := HintOf(test.err); got != test.hint {
			t.Errorf("%s: hint %q, want %q", test.name, got, test.hint)
		}
		if test.err != nil && !errors.Is(test.err, fs.ErrNotExist) {
			t.Errorf("%s: the cause is lost", test.name)
		}
	}
	if got := hinted.Error(); got != "image a.jpg: read: file does not exist" {
		t.Errorf("says %q", got)
	}
}
