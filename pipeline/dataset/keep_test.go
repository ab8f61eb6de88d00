package dataset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// A file that is too large to decode is not read into memory.
func TestAFileMayBeTooLarge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large.jpg")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{1 << 20, 1 << 45} { // sparse
		if err := os.Truncate(name, size); err != nil {
			t.Skip(err) // a file system without room for so large a file
		}
		images, err := unlabelled("", dataset.Options{}, name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := images[0].Bytes()
		if size == 1<<20 && (err != nil || len(b) != 1<<20) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if want := "large.jpg: its 35184372088832 bytes are more than the limit of 268435456"; size > 1<<20 &&
			(err == nil || !strings.HasSuffix(err.Error(), want) || pipeline.KindOf(err) != pipeline.BadData) {
			t.Errorf("%v", err)
		}
	}
}
