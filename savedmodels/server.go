package savedmodels

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tftl/internal/server"
	"tftl/internal/tensor"
	"tftl/pipeline"
)

// Server is this process's part of TensorFlow's runtime in a cluster: a gRPC server,
// through which the processes sum gradients and speak to each other. A process has one
// at most, until it ends.
type Server struct {
	*board
	target string
	this   int
	size   int

	once  sync.Once
	ended chan struct{} // closed by End
	why   error
}

// ServerOptions say who takes part in a cluster.
type ServerOptions struct {
	Tasks   []string       // host:port of each process, the chief's first
	This    int            // which of them this process is
	Listen  netip.AddrPort // where its server listens
	Session Options        // of all sessions, which share the server's devices
}

// workerJob is the job of all processes; the chief is its first task.
const workerJob = "worker"

func taskName(i int) string { return fmt.Sprintf("/job:%s/task:%d", workerJob, i) }

// StartServer starts this process's server, and waits for the chief's.
func StartServer(ctx context.Context, o ServerOptions) (*Server, error) {
	tasks := make(map[int32]string, len(o.Tasks))
	for i, address := range o.Tasks {
		tasks[int32(i)] = address
	}
	// It is added to the configuration of each session.
	config := sessionConfig(o.Session.Threads)
	if _, _, err := selectDevice(config, o.Session); err != nil {
		return nil, err
	}
	config.Experimental = &for_core_protos_go_proto.ConfigProto_Experimental{CollectiveGroupLeader: "/job:" + workerJob + "/replica:0/task:0"}
	def, err := proto.Marshal(&for_core_protos_go_proto.ServerDef{
		Cluster:   &for_core_protos_go_proto.ClusterDef{Job: []*for_core_protos_go_proto.JobDef{{Name: workerJob, Tasks: tasks}}},
		JobName:   workerJob,
		TaskIndex: int32(o.This),
		Protocol:  "grpc",

		DefaultSessionConfig: config,
	})
	if err != nil {
		return nil, err
	}
	s := &Server{this: o.This, size: len(o.Tasks), ended: make(chan struct{})}
	if s.target, err = server.Start(def, o.Listen); err != nil {
		err = pipeline.Errorf(pipeline.Other, "cannot listen on %s: %w", o.Listen, firstLine(err))
		return nil, pipeline.WithHint(err, "is another process using the port? ss -ltn shows who listens")
	}
	stop := context.AfterFunc(ctx, func() { s.End(context.Cause(ctx)) })
	defer stop()
	s.board, err = newBoard(s)
	return s, err
}

// shares changes the configuration of a session, so that its graph runs on this
// process's server and can sum with the others.
func (s *Server) shares(config *for_core_protos_go_proto.ConfigProto) (*tf.SessionOptions, error) {
	shared := proto.Clone(config).(*for_core_protos_go_proto.ConfigProto)
	shared.IsolateSessionState = true
	shared.DeviceFilters = []string{taskName(s.this)}
	if rewrite := shared.GraphOptions.RewriteOptions; rewrite.AutoMixedPrecisionOnednnBfloat16 == for_core_protos_go_proto.RewriterConfig_ON {
		// A server checks the graph before oneDNN's kernels take its place, and knows no
		// convolution with its bias and activation in bfloat16.
		rewrite.Remapping = for_core_protos_go_proto.RewriterConfig_OFF
	}
	return s.options(shared)
}

// options are those of a session on this process's server.
func (s *Server) options(config *for_core_protos_go_proto.ConfigProto) (*tf.SessionOptions, error) {
	o, err := sessionOptions(config)
	o.Target = s.target
	return o, err
}

// execTogether runs a graph in a call that all processes make. The key, any number but 0,
// has TensorFlow number such calls alike in all of them.
func (m *imported) execTogether(fetch []tf.Output, feed map[tf.Output]*tf.Tensor) []*tf.Tensor {
	options, err := proto.Marshal(&for_core_protos_go_proto.RunOptions{Experimental: &for_core_protos_go_proto.RunOptions_Experimental{CollectiveGraphKey: 1}})
	if err != nil {
		panic(err)
	}
	results, err := tensor.Run(m.session, options, feed, fetch)
	if err != nil {
		panic(err)
	}
	return results
}

// End ends all calls that wait for other processes, now and later, with an error.
// TensorFlow cannot be told to leave a call, so it goes on until the process ends.
func (s *Server) End(why error) {
	s.once.Do(func() {
		s.why = why
		close(s.ended)
	})
}

// over reports whether End was called.
func (s *Server) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// await runs a call that may wait for other processes.
func await[T any](s *Server, call func() (T, error)) (result T, err error) {
	type returned struct {
		result T
		err    error
	}
	done := make(chan returned, 1)
	go func() {
		r, err := call()
		done <- returned{r, err}
	}()
	select {
	case r := <-done:
		return r.result, r.err
	case <-s.ended:
		return result, s.why
	}
}
