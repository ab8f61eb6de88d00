package tftl_test

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"testing"

	"tftl"
)

// resident returns the resident memory of this process in bytes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(text)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// A service runs for months, so a call must free all that it allocates. A leak of
// one image's pixels, 12 kB here, would add up to 24 MB.
func TestMemoryOfAClassifierStaysFlat(t *testing.T) {
	folder, forget := trained(t.Context())
	defer forget()
	model, err := tftl.Open(folder, tftl.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	image, err := os.ReadFile("build/testdata/photos/red/red-01.jpg")
	if err != nil {
		t.Fatal(err)
	}
	classify := func(calls int) {
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for range calls {
					if _, err := model.Classify(context.Background(), image); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
	}
	classify(100)
	before := resident(t)
	classify(500)
	if grown := resident(t) - before; grown > 12<<20 {
		t.Errorf("2000 calls leave %d MB behind", grown>>20)
	}
}
