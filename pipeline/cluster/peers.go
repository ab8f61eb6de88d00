package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"tftl/pipeline"
)

// Link is how the processes of a cluster speak to each other, all of them through the
// chief, task 0.
type Link interface {
	// Beat writes this task's note and returns those of all tasks, of which workers need the
	// chief's only; nil is a task that has written none. It waits as long as the chief does
	// not answer.
	Beat(note []byte) ([][]byte, error)
	// Send gives a message to a task, and Receive waits for one. Workers speak to the
	// chief only.
	Send(task int, message []byte) error
	Receive(task int) ([]byte, error)
	// End ends all calls that wait for others, now and later, with an error.
	End(why error)
}

// Watch says how long to wait for the other processes.
type Watch struct {
	Names []string // what messages call each task; the chief's first
	This  int
	// Timeout is the time within which every process ends if one of them has gone, or
	// does not answer.
	Timeout time.Duration
	Start   time.Duration // to wait until all have come
	// Gone reports whether nobody listens at a task's address. It may be nil.
	Gone func(task int) bool
}

// Peers are the processes of a cluster, as one of them sees them. While they work
// together, each tells the chief several times a second that it is alive, and the chief
// decides when and why the cluster ends.
type Peers struct {
	Watch
	link Link

	mu      sync.Mutex
	own     note
	seen    []sighting
	verdict error // why the cluster ends, once that is decided; done if all is well
	decided time.Time
	cancel  []context.CancelCauseFunc
	ready   chan struct{} // closed when all are there
	over    chan struct{} // closed with the verdict
	left    chan struct{} // closed when the last beat is over
	leave   chan struct{} // closed by Leave
}

// sighting is what was last seen of a task.
type sighting struct {
	note
	changed time.Time
}

// errDone is the verdict of a cluster whose work is done.
var errDone = errors.New("the chief is done")

// Join waits until all processes are there. The caller ends with Leave.
func Join(ctx context.Context, w Watch, link Link) (*Peers, error) {
	p := &Peers{
		Watch: w, link: link, own: note{Process: rand.Text()}, seen: make([]sighting, len(w.Names)),
		ready: make(chan struct{}), over: make(chan struct{}), left: make(chan struct{}), leave: make(chan struct{}),
	}
	go p.watch()
	wait := w.Start
	if !p.Chief() {
		wait += w.Timeout / 2 // the chief says who has not come
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-p.ready:
		return p, nil
	case <-p.over:
		return nil, errors.Join(p.Leave(p.why()), p.why())
	case <-ctx.Done():
		return nil, errors.Join(p.Leave(ctx.Err()), ctx.Err())
	case <-late.C:
		err := p.absent()
		return nil, errors.Join(p.Leave(err), err)
	}
}

// absent is the error for tasks that have not come.
func (p *Peers) absent() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.seen {
		if s.changed.IsZero() && (i == 0 || p.Chief()) && i != p.This {
			return p.lost(i, "did not come within %v", p.Start)
		}
	}
	return p.lost(0, "has not begun within %v", p.Start)
}

func (p *Peers) lost(task int, format string, args ...any) error {
	err := pipeline.Errorf(pipeline.PeerLost, "%s %w", p.Name(task), pipeline.Errorf(pipeline.PeerLost, format, args...))
	return pipeline.WithHint(err, "start all processes again; a run that had begun goes on from its last checkpoint")
}

// Chief reports whether this process is the chief.
func (p *Peers) Chief() bool { return p.This == 0 }

// Context is ctx for the work that the processes do together. It ends with the
// cluster. An interrupted chief stops at once. A worker first asks the chief to stop,
// so that all stop after the same step.
func (p *Peers) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	base := ctx
	if !p.Chief() {
		base = context.WithoutCancel(ctx)
	}
	inner, cancel := context.WithCancelCause(base)
	p.mu.Lock()
	p.cancel = append(p.cancel, cancel)
	over := p.verdict
	p.mu.Unlock()
	if over != nil {
		cancel(over)
	}
	stop := func() bool { return true }
	if !p.Chief() {
		stop = context.AfterFunc(ctx, p.ask)
	}
	return inner, func() { stop(); cancel(nil) }
}

// ask asks the chief to stop.
func (p *Peers) ask() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own.State == together {
		p.own.State = asking
	}
}

// why is the verdict, or nil as long as there is none.
func (p *Peers) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.verdict
}

// Do does this process's part of the work and returns the cluster's result. When the
// cluster has ended, the work is left behind after a quarter of the timeout: TensorFlow, or
// a disk, cannot be told to return. The process must end then.
func (p *Peers) Do(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	var late <-chan time.Time
	select {
	case err := <-done:
		return p.Verdict(err)
	case <-p.over:
		if !errors.Is(p.why(), context.Canceled) { // an interrupted chief saves as long as it takes
			late = time.After(p.Timeout / 4)
		}
	}
	select {
	case err := <-done:
		return p.Verdict(err)
	case <-late:
		return p.Verdict(p.why())
	}
}

// Verdict turns the result of this process's work into that of the cluster: if it
// failed because of another process, that one's error. It waits for it, because a call
// may fail before it is known what has happened to whom.
func (p *Peers) Verdict(err error) error {
	lost := pipeline.KindOf(err) == pipeline.PeerLost
	if err != nil && lost {
		select {
		case <-p.over:
		case <-time.After(p.Timeout):
		}
	}
	why := p.why()
	if err == nil || why == nil || !lost && !errors.Is(err, context.Canceled) && !errors.Is(err, why) {
		return err
	}
	if errors.Is(why, errDone) {
		return nil
	}
	return why
}

// Leave tells the others how this process's work ended, nil for well, and waits until
// they have ended too: nobody leaves before the slowest. The error is that of the
// cluster if this process has none itself.
func (p *Peers) Leave(err error) error {
	p.mu.Lock()
	p.own.State = ended
	switch {
	case !p.Chief() && err != nil:
		p.own.Because = reason(p.This, err)
	case p.Chief():
		p.decide(cmp.Or(err, errDone))
		if !errors.Is(p.verdict, errDone) {
			p.own.Because = reason(0, p.verdict)
		}
	}
	p.mu.Unlock()
	close(p.leave)
	<-p.left
	if why := p.why(); err == nil && why != nil && !errors.Is(why, errDone) {
		return why
	}
	return nil
}

// decide ends the cluster. The caller holds the mutex.
//
// An interrupted cluster goes on until the chief's work has stopped between two steps:
// the others must not leave the step that it is in.
func (p *Peers) decide(why error) {
	if p.verdict != nil {
		if !errors.Is(why, context.Canceled) {
			p.link.End(p.verdict)
		}
		return
	}
	p.verdict, p.decided = why, time.Now()
	for _, cancel := range p.cancel {
		cancel(why)
	}
	close(p.over)
	if p.Chief() && errors.Is(why, context.Canceled) {
		return
	}
	if p.Chief() && p.own.State != ended {
		p.own.State, p.own.Because = stopping, reason(0, why)
	}
	p.link.End(why)
}

// Name is what messages call a task. The number may come from a note, and be wrong.
func (p *Peers) Name(task int) string {
	if task < 0 || task >= len(p.Names) {
		return "a task"
	}
	return p.Names[task]
}
