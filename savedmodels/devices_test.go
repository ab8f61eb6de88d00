package savedmodels

import (
	"runtime"
	"testing"

	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
)

// Only Go's garbage collector frees a graph. It must not do so while TensorFlow makes
// a session of it.
func TestGarbageCollectionLeavesTheGraphOfANewSession(t *testing.T) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	}()
	// Threads of its own make a session slow to make.
	slow := &for_core_protos_go_proto.ConfigProto{UsePerSessionThreads: true, InterOpParallelismThreads: 100}
	for range 30 {
		names, err := devices(slow)
		if err != nil || len(names) == 0 {
			t.Fatalf("%q, %v", names, err)
		}
	}
}
