package dataset_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

func TestContentsAreEachImagesBytes(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a/1.jpg", "a/2.jpg", "b/3.jpg"} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(name), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	set, err := dataset.OpenLabelled(root, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "a", "2.jpg")); err != nil {
		t.Fatal(err)
	}
	var done []int
	sums, err := set.Test.Contents(t.Context(), 2, func(e pipeline.Event) { done = append(done, e.Done) })
	if err != nil || len(sums) != 3 || len(done) != 3 || done[2] != 3 {
		t.Fatalf("%d sums, told of %v, %v", len(sums), done, err)
	}
	for i, want := range [][sha256.Size]byte{sha256.Sum256([]byte("a/1.jpg")), {}, sha256.Sum256([]byte("b/3.jpg"))} {
		if sums[i] != want {
			t.Errorf("image %d has %x, want %x", i, sums[i], want)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := set.Test.Contents(cancelled, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
