package workflow_test

import (
	"testing"

	"tftl/pipeline/features"
	"tftl/pipeline/workflow"
)

// Runs share a cache while it is used, and until another is opened.
func TestCachesAreShared(t *testing.T) {
	var caches workflow.Caches
	defer caches.Close()
	open := func(space string) *features.Store {
		t.Helper()
		store, err := caches.Open(features.Options{}, space)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	first, second := open("a"), open("a")
	caches.Release(first)
	other := open("b")
	if first != second || first == other || open("a") != first {
		t.Error("a cache in use is not shared")
	}
	caches.Release(first)
	caches.Release(first)
	if open("a") != first {
		t.Error("a cache that nobody uses is closed before another is opened")
	}
	caches.Release(first)
	caches.Release(other)
	open("c")
	if open("a") == first {
		t.Error("a cache that nobody uses stays open")
	}
}
