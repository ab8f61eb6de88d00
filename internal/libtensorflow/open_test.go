package libtensorflow_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"tftl/internal/libtensorflow"
)

func TestOpenSaysWhereTheLibraryIs(t *testing.T) {
	for range 2 {
		files, err := libtensorflow.Open()
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{files.Library, files.Framework} {
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || !strings.Contains(path, "tensorflow") {
				t.Errorf("%q: %v", path, err)
			}
		}
		if info, err := os.Lstat(files.Library); err != nil || info.Mode()&os.ModeSymlink != 0 {
			t.Errorf("%s is a link", files.Library)
		}
	}
}

func TestVersionIsTheOneThatIsInstalled(t *testing.T) {
	text, err := os.ReadFile("../../scripts/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`(?m)^tensorflow[-_]cpu==(\S+)`).FindSubmatch(text)
	if pinned == nil || string(pinned[1]) != libtensorflow.Version {
		t.Errorf("scripts/requirements.txt pins %q, Version is %s", pinned, libtensorflow.Version)
	}
}
