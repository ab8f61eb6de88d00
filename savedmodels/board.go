package savedmodels

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/op"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// board is what the processes of a cluster write to each other. It lies in the chief's
// server: a note of each task, and queues of messages from and to each task.
type board struct {
	server  *Server
	session *tf.Session
	value   tf.Output // of what is written or sent
	write   *tf.Operation
	notes   map[int]tf.Output // of the tasks that this one reads: the chief's, for the chief all
	send    map[int]*tf.Operation
	receive map[int]tf.Output
}

// newBoard builds the graph of what this process does with the board.
func newBoard(s *Server) (*board, error) {
	b := &board{server: s, notes: map[int]tf.Output{}, send: map[int]*tf.Operation{}, receive: map[int]tf.Output{}}
	scope := op.NewScope().WithDevice(taskName(0) + "/device:CPU:0")
	b.value = op.Placeholder(scope.SubScope("value"), tf.Uint8, op.PlaceholderShape(tf.MakeShape(-1)))
	for task := range s.size {
		if s.this != 0 && task != 0 && task != s.this {
			continue // only the chief speaks to all
		}
		in := scope.SubScope(fmt.Sprint("task", task))
		note := op.VarHandleOp(in, tf.Uint8, tf.MakeShape(-1), op.VarHandleOpSharedName(fmt.Sprint("tftl_note_", task)))
		if task == s.this {
			b.write = op.AssignVariableOp(in, note, b.value)
		}
		if s.this == 0 || task == 0 {
			b.notes[task] = op.ReadVariableOp(in, note, tf.Uint8)
		}
		if task == 0 {
			continue
		}
		queue := func(way string) tf.Output {
			return op.FIFOQueueV2(in.SubScope(way), []tf.DataType{tf.Uint8}, op.FIFOQueueV2Capacity(4), op.FIFOQueueV2SharedName(fmt.Sprint("tftl_", way, "_", task)))
		}
		up, down, other := queue("up"), queue("down"), 0
		if s.this == 0 {
			up, down, other = down, up, task
		}
		b.send[other] = op.QueueEnqueueV2(in, up, []tf.Output{b.value})
		b.receive[other] = op.QueueDequeueV2(in, down, []tf.DataType{tf.Uint8})[0]
	}
	graph, err := scope.Finalize()
	if err != nil {
		return nil, err
	}
	options, err := s.options(&for_core_protos_go_proto.ConfigProto{
		InterOpParallelismThreads: 2, DeviceFilters: []string{taskName(0), taskName(s.this)},
	})
	if err != nil {
		return nil, err
	}
	b.session, err = await(s, func() (*tf.Session, error) { return tensor.NewSession(graph, options) })
	return b, err
}

// Beat writes this task's note and returns those of all tasks, of which workers read the
// chief's only; nil is a task that has written none. It waits as long as the chief does
// not answer.
func (b *board) Beat(note []byte) (notes [][]byte, err error) {
	if err := b.put(note, b.write); err != nil {
		return nil, err
	}
	notes = make([][]byte, b.server.size)
	tasks := slices.Sorted(maps.Keys(b.notes))
	var reads []tf.Output
	for _, task := range tasks {
		reads = append(reads, b.notes[task])
	}
	texts, err := b.fetch(reads...)
	if err != nil && !strings.Contains(err.Error(), "Could not find variable") {
		return nil, err
	}
	for i, task := range tasks {
		if err == nil {
			notes[task] = texts[i]
		} else if text, err := b.fetch(reads[i]); err == nil { // some have written none yet
			notes[task] = text[0]
		}
	}
	return notes, nil
}

// Send puts a message for a task into its queue; the workers' are for the chief, task 0.
func (b *board) Send(task int, message []byte) error {
	_, err := await(b.server, func() (struct{}, error) { return struct{}{}, b.put(message, b.send[task]) })
	return err
}

// Receive takes the next message of a task out of its queue, and waits for one.
func (b *board) Receive(task int) ([]byte, error) {
	return await(b.server, func() ([]byte, error) {
		messages, err := b.fetch(b.receive[task])
		if err != nil {
			return nil, err
		}
		return messages[0], nil
	})
}

// put runs an operation that takes bytes.
func (b *board) put(content []byte, operation *tf.Operation) error {
	value, err := tf.ReadTensor(tf.Uint8, []int64{int64(len(content))}, bytes.NewReader(content))
	if err != nil {
		return err
	}
	defer tensor.Free(value)
	if _, err = b.session.Run(map[tf.Output]*tf.Tensor{b.value: value}, nil, []*tf.Operation{operation}); err != nil {
		return pipeline.Errorf(pipeline.PeerLost, "%w", firstLine(err))
	}
	return nil
}

// fetch returns the bytes of tensors.
func (b *board) fetch(tensors ...tf.Output) ([][]byte, error) {
	results, err := b.session.Run(nil, tensors, nil)
	if err != nil {
		return nil, pipeline.Errorf(pipeline.PeerLost, "%w", err)
	}
	defer tensor.Free(results...)
	texts := make([][]byte, len(results))
	for i, r := range results {
		content, ok := r.Value().([]byte)
		if !ok {
			return nil, fmt.Errorf("a note is of type %T", r.Value())
		}
		texts[i] = content
	}
	return texts, nil
}
