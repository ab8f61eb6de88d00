// Package launch starts the processes of a cluster that is one machine, watches them and
// ends them together. It knows neither what they do nor how they find each other.
package launch

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// PeerLost is the exit code of a process that goes no further because another one of
	// its cluster is gone.
	PeerLost = 138
	// interrupted is that of a process that was asked to stop.
	interrupted = 130
)

const (
	// settle is how long the others may take to end by themselves after one has lost its
	// peer. The peer knows why it failed, and may not have ended yet.
	settle = 2 * time.Second
	// echo is how long a second signal belongs to the first, as in package main.
	echo = 500 * time.Millisecond
)

// Group is what to start. If one of its processes fails, all end.
type Group struct {
	Path    string           // of the program
	Args    []string         // its arguments, after its name
	Env     [][]string       // the environment of each process
	Stdout  io.Writer        // for what the first process prints there
	Stderr  io.Writer        // for all else, with the number of the process before each line
	Signals <-chan os.Signal // that ask the group to stop
	Grace   time.Duration    // between asking a process to end and killing it
}

// Failure says which process ended the group.
type Failure struct {
	Task   int
	Code   int            // its exit code, or PeerLost if a signal ended it
	Signal syscall.Signal // that ended it; 0 for none
}

func (f *Failure) Error() string {
	if f.Signal != 0 {
		return fmt.Sprintf("task %d was killed (%s)", f.Task, unix.SignalName(f.Signal))
	}
	return fmt.Sprintf("task %d ended with exit code %d", f.Task, f.Code)
}

// Retryable reports whether the group may do better next time. Operators of Kubernetes
// draw the line at 128 too.
func (f *Failure) Retryable() bool { return f.Code >= 128 && f.Code != interrupted }

// lostPeer reports whether another process is the reason.
func (f *Failure) lostPeer() bool { return f.Code == PeerLost && f.Signal == 0 }

// Run starts the processes and returns when all have ended. The error is a *Failure if
// one of them failed, and context.Canceled if a signal came.
//
// No process outlives this one, however it ends: the kernel kills them (Pdeathsig). It
// does so when the thread that started them ends, so that thread is kept until they have
// ended.
func (g Group) Run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w := watch{Group: g, ended: make(chan *process), copied: make(chan struct{})}
	for task := range g.Env {
		if err := w.start(task); err != nil {
			w.end(syscall.SIGKILL)
			w.untilDone()
			return fmt.Errorf("task %d: %w", task, err)
		}
	}
	w.untilDone()
	switch {
	case w.signalled != time.Time{}:
		return context.Canceled
	case w.cause != nil:
		return w.cause
	}
	return nil
}

// watch is a group that runs.
type watch struct {
	Group
	stderr    sync.Mutex // one line at a time
	running   []*process
	ended     chan *process // not yet reaped
	copying   int           // streams that are open
	copied    chan struct{}
	cause     *Failure         // why the group ends
	signalled time.Time        // when the first signal came
	sent      syscall.Signal   // to all processes, the last one
	due       <-chan time.Time // when to send a stronger one
}

// process is one of the group, with the ends from which its output is read.
type process struct {
	task    int
	cmd     *exec.Cmd
	streams []*stream
}

// start starts a process in a process group of its own. So what it starts ends with it,
// and Ctrl-C, which a terminal sends to all of the foreground group, reaches it once:
// through this program.
func (w *watch) start(task int) error {
	cmd := exec.Command(w.Path, w.Args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = w.Env[task]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{task: task, cmd: cmd}
	for _, end := range []*io.Writer{&cmd.Stdout, &cmd.Stderr} {
		reader, writer, err := os.Pipe()
		if err != nil {
			return err
		}
		defer writer.Close()
		*end = writer
		p.streams = append(p.streams, &stream{File: reader})
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.running = append(w.running, p)
	for i, s := range p.streams {
		w.copying++
		go func() {
			if i == 0 && task == 0 {
				s.copyTo(w.Stdout)
			} else {
				s.prefixTo(&w.stderr, w.Stderr, fmt.Sprintf("[%d] ", task))
			}
			w.copied <- struct{}{}
		}()
	}
	go func() {
		untilExit(cmd.Process.Pid)
		w.ended <- p
	}()
	return nil
}

// untilExit waits for the end of a process but leaves it a zombie. Until it is reaped,
// no other process can have its number, or be taken for one of its group.
func untilExit(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// untilDone waits until all processes have ended and what they printed is written.
func (w *watch) untilDone() {
	for len(w.running) > 0 || w.copying > 0 {
		select {
		case p := <-w.ended:
			w.reap(p)
		case <-w.copied:
			w.copying--
		case s := <-w.Signals:
			w.pass(s)
		case <-w.due:
			if len(w.running) == 0 {
				return // somebody does not read the output
			}
			w.strengthen()
		}
	}
}

// reap notes how a process ended, and kills what it has left behind.
func (w *watch) reap(p *process) {
	_ = unix.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait() // its state says more
	for _, s := range p.streams {
		s.finish()
	}
	w.running = slices.DeleteFunc(w.running, func(other *process) bool { return other == p })
	f := &Failure{Task: p.task, Code: p.cmd.ProcessState.ExitCode()}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		f.Code, f.Signal = PeerLost, status.Signal()
	}
	w.note(f)
	if len(w.running) == 0 && w.signalled.IsZero() {
		w.due = nil // what they printed is still being written
	}
}

// note takes a process's end for the reason of the group's if it failed, unless it only
// did as it was told or because another one had failed.
func (w *watch) note(f *Failure) {
	told := w.sent != 0 && (f.Signal != 0 || f.Code == interrupted)
	if f.Code == 0 || told {
		return
	}
	if w.cause == nil || w.cause.lostPeer() && !f.lostPeer() {
		w.cause = f
	}
	switch {
	case w.sent != 0:
	case !f.lostPeer():
		w.end(syscall.SIGTERM)
	case w.due == nil:
		w.due = time.After(settle)
	}
}

// pass passes a signal on. A second one kills. If the processes have been told to end
// already, the first is not passed on: it would be their second.
func (w *watch) pass(s os.Signal) {
	number, _ := s.(syscall.Signal)
	switch {
	case w.signalled.IsZero():
		w.signalled = time.Now()
		if w.sent == 0 || len(w.running) == 0 {
			w.end(number)
		}
	case time.Since(w.signalled) < echo:
	case len(w.running) > 0:
		w.end(syscall.SIGKILL)
	default:
		w.due = time.After(0)
	}
}

// strengthen sends the next signal to processes that did not end in time.
func (w *watch) strengthen() {
	if w.sent == 0 {
		w.end(syscall.SIGTERM)
	} else {
		w.end(syscall.SIGKILL)
	}
}

// end sends a signal to the groups of all processes that run.
func (w *watch) end(s syscall.Signal) {
	w.sent = s
	for _, p := range w.running {
		_ = unix.Kill(-p.cmd.Process.Pid, s)
	}
	w.due = time.After(w.Grace)
}
