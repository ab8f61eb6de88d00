package tensor

import (
	"runtime"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// NewSession is the binding's. That one lets Go's garbage collector free the graph
// while TensorFlow still makes the session, if the caller has no more use for it.
// Later, TensorFlow keeps the graph of a session itself.
func NewSession(graph *tf.Graph, options *tf.SessionOptions) (*tf.Session, error) {
	session, err := tf.NewSession(graph, options)
	runtime.KeepAlive(graph)
	return session, err
}
