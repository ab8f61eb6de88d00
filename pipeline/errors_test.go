package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
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
		{"new kind", Errorf(BadModel, "model: %w", hinted), BadModel, "look at a.jpg"},
		{"new hint", WithHint(hinted, "outer"), BadData, "outer"},
		{"hint for a plain one", WithHint(cause, "outer"), Other, "outer"},
	} {
		if got := KindOf(test.err); got != test.kind {
			t.Errorf("%s: kind %d, want %d", test.name, got, test.kind)
		}
		if got := HintOf(test.err).String(); got != test.hint {
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

// A full disk makes no image bad, and a failing one no request wrong.
func TestTheMachineIsToBlame(t *testing.T) {
	for cause, kinds := range map[syscall.Errno][3]Kind{
		syscall.EMFILE: {Other, Other, Other},
		syscall.ENOSPC: {Other, Other, Other},
		syscall.EIO:    {Other, BadData, BadModel},
		syscall.EACCES: {BadUsage, BadData, BadModel},
	} {
		failed := &os.PathError{Op: "open", Path: "a.jpg", Err: cause}
		for i, kind := range []Kind{BadUsage, BadData, BadModel} {
			if got := KindOf(WithHint(Errorf(kind, "image a.jpg: %w", failed), "look at it")); got != kinds[i] {
				t.Errorf("%v, said to be of kind %d, has kind %d, want %d", cause, kind, got, kinds[i])
			}
		}
	}
}

// The library uses plain option names. Whoever shows an error spells them, at any depth.
func TestOptionsAreSpelledByTheCaller(t *testing.T) {
	flag := func(o Option) string { return "--" + string(o) }
	leaf := Errorf(BadUsage, "%s %q: must be auto, parts or classes", Option("layout"), "%s")
	for _, test := range []struct {
		name        string
		err         error
		plain, text string
		option      Option
	}{
		{"plain", fs.ErrNotExist, "file does not exist", "file does not exist", ""},
		{"leaf", leaf, `layout "%s": must be auto, parts or classes`, `--layout "%s": must be auto, parts or classes`, "layout"},
		{"hinted", WithHint(leaf, "leave out %s", Option("split")), `layout "%s": must be auto, parts or classes`, `--layout "%s": must be auto, parts or classes`, "layout"},
		{"wrapped by ours", Errorf(BadData, "photos: %w", leaf), `photos: layout "%s": must be auto, parts or classes`, `photos: --layout "%s": must be auto, parts or classes`, "layout"},
		{"wrapped by fmt", fmt.Errorf("photos: %w", leaf), `photos: layout "%s": must be auto, parts or classes`, `photos: --layout "%s": must be auto, parts or classes`, "layout"},
		{"joined", errors.Join(leaf, fs.ErrNotExist), "layout \"%s\": must be auto, parts or classes\nfile does not exist", "--layout \"%s\": must be auto, parts or classes\nfile does not exist", "layout"},
		{"two", Errorf(BadUsage, "%s and %s exclude each other", Option("fold"), Option("split")), "fold and split exclude each other", "--fold and --split exclude each other", "fold"},
	} {
		if got := test.err.Error(); got != test.plain {
			t.Errorf("%s: says %q", test.name, got)
		}
		if got := ErrorText(test.err, flag); got != test.text {
			t.Errorf("%s: is shown as %q", test.name, got)
		}
		if got := OptionOf(test.err); got != test.option {
			t.Errorf("%s: is about option %q", test.name, got)
		}
	}
	hint := HintOf(WithHint(leaf, "%s: %s", Option("data"), Messagef("or %s", Option("model"))))
	if hint.String() != "data: or model" || hint.Text(flag) != "--data: or --model" {
		t.Errorf("hint %q, shown as %q", hint, hint.Text(flag))
	}
}
