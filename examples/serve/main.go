// Command serve answers HTTP requests with an ONNX file of tftl: a JPEG or PNG in, JSON
// out. It needs neither TensorFlow nor Python, only onnxruntime's library, and is meant
// to be copied and changed. See docs/serving.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// options are the command line's.
type options struct {
	model, library, listen string
	batch, threads         int
	wait, drain            time.Duration
	limits                 limits
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("serve: ")
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		log.Print(err)
		os.Exit(2)
	}
	if err := run(o); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func parse(arguments []string, out io.Writer) (o options, err error) {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.model, "model", "", "answer with the ONNX `FILE` that scripts/convert.py wrote")
	f.StringVar(&o.library, "library", "libonnxruntime.so", "load onnxruntime from `FILE`")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "listen on `ADDRESS`; port 0 takes any that is free")
	f.IntVar(&o.batch, "batch", 8, "predict at most `N` images at a time")
	f.DurationVar(&o.wait, "wait", 2*time.Millisecond, "wait so `long` for a full batch")
	f.IntVar(&o.threads, "threads", runtime.GOMAXPROCS(0), "compute on `N` threads")
	f.IntVar(&o.limits.requests, "requests", 64, "answer at most `N` requests at a time, and 503 to more")
	f.Int64Var(&o.limits.bytes, "max-bytes", 20<<20, "refuse bodies of more than `N` bytes")
	f.Int64Var(&o.limits.pixels, "max-pixels", 30_000_000, "refuse images of more than `N` pixels")
	f.Int64Var(&o.limits.together, "pixels-in-flight", 60_000_000, "decode images of at most `N` pixels at a time")
	f.DurationVar(&o.limits.body, "read-timeout", 15*time.Second, "wait so `long` for a request's header, and for its body")
	f.DurationVar(&o.limits.answer, "answer-timeout", 15*time.Second, "answer 503 after so `long`")
	f.DurationVar(&o.drain, "drain", time.Second, "on SIGTERM, go on answering for so `long` while /readyz says no")
	if err := f.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(out, "usage: serve -model FILE [options]")
			f.SetOutput(out)
			f.PrintDefaults()
		}
		return o, err
	}
	least := min(o.batch, o.threads, o.limits.requests, int(min(o.limits.bytes, o.limits.pixels)))
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.model == "":
		return o, errors.New("-model is missing: the ONNX file that scripts/convert.py wrote")
	case least < 1 || min(o.limits.body, o.limits.answer) <= 0 || min(o.wait, o.drain) < 0:
		return o, errors.New("numbers and times must be above 0; -wait and -drain may be 0")
	case o.limits.together < o.limits.pixels:
		return o, errors.New("-pixels-in-flight is less than -max-pixels, so the largest images would never be decoded")
	}
	return o, nil
}

// run serves until a signal.
func run(o options) (err error) {
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	m, err := openModel(o.model, o.library, o.threads)
	if err != nil {
		return err
	}
	b := &batcher{run: m.run, most: o.batch, wait: o.wait, jobs: make(chan *job, o.limits.requests)}
	s := newServer(m, b, o.limits)
	done := make(chan struct{})
	go func() { b.work(); close(done) }()

	h := &http.Server{
		Handler: s, ReadHeaderTimeout: o.limits.body, MaxHeaderBytes: 16 << 10,
		IdleTimeout: time.Minute, WriteTimeout: o.limits.body + o.limits.answer + 10*time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(listener) }()
	log.Printf("%d classes, listening on http://%s", len(m.labels), listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-signals.Done():
	}
	stop() // a second signal ends the process at once
	if err := s.end(h, o); err != nil {
		return err
	}
	close(b.jobs)
	<-done
	log.Print("stopped: every request was answered")
	return m.close()
}

// end stops gracefully: for a while requests are still answered, so that a load balancer
// can notice; then no connections are accepted, and those that are open get their answer.
func (s *server) end(h *http.Server, o options) error {
	s.state.Store(draining)
	log.Printf("shutting down, with %d requests to answer", len(s.slots))
	time.Sleep(o.drain)
	s.state.Store(stopping)
	ctx, cancel := context.WithTimeout(context.Background(), h.WriteTimeout)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		return fmt.Errorf("%d requests were not answered: %w", len(s.slots), err)
	}
	return nil
}
