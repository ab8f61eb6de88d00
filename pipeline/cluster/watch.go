package cluster

import (
	"errors"
	"time"

	"tftl/pipeline"
)

// The time between two beats, as a part of the timeout, and its bounds. A task is taken
// for gone after half of the timeout, so that there is time to tell the others.
const (
	beatsPerTimeout = 20
	leastInterval   = 20 * time.Millisecond
	mostInterval    = 500 * time.Millisecond
)

func (p *Peers) interval() time.Duration {
	return min(max(p.Timeout/beatsPerTimeout, leastInterval), mostInterval)
}

// watch beats until this process has left and nobody needs it any more.
func (p *Peers) watch() {
	defer close(p.left)
	tick := time.NewTicker(p.interval())
	defer tick.Stop()
	answers := make(chan answer, 1)
	answered, asking := time.Now(), false
	beat := func() {
		if !asking {
			asking = true
			go func(n note) {
				notes, err := p.link.Beat(n.encode())
				answers <- answer{n.State == ended && n.Over, notes, err}
			}(p.beat())
		}
	}
	beat()
	leave, left, told := p.leave, time.Time{}, false
	for {
		select {
		case a := <-answers:
			asking = false
			if a.err == nil {
				answered, told = time.Now(), a.told
				p.look(a.notes)
			} else if p.gone(0) {
				told = a.told // the chief knows, or it would be there
				p.lose(0, "has ended")
			}
		case <-tick.C:
			beat()
		case <-leave:
			leave, left = nil, time.Now()
		}
		silent := time.Since(answered) > p.Timeout/2
		if silent && p.hasJoined() {
			p.lose(0, "has not answered for %v", p.Timeout/2)
		}
		if leave == nil && (silent || told && p.mayLeave() || p.late(left)) {
			return
		}
	}
}

// answer is the result of a beat, and whether it told that this process may go.
type answer struct {
	told  bool
	notes [][]byte
	err   error
}

func (p *Peers) beat() note {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own.Beat++
	p.own.Over = p.verdict != nil
	return p.own
}

// late reports whether this process, or the cluster, ended with an error and has waited
// for the others for long enough. If one was lost, all were told when that was decided.
func (p *Peers) late(left time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case pipeline.KindOf(p.verdict) == pipeline.PeerLost:
		left = p.decided
	case p.own.Because == nil && (p.verdict == nil || errors.Is(p.verdict, errDone)):
		return false
	}
	return time.Since(left) > p.Timeout/2-4*p.interval() // a loss is noticed some beats late
}

func (p *Peers) hasJoined() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

func (p *Peers) gone(task int) bool {
	return p.hasJoined() && task != p.This && p.Gone != nil && p.Gone(task)
}

// lose ends the cluster because of a task that has gone.
func (p *Peers) lose(task int, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if task != p.This {
		p.decide(p.lost(task, format, args...))
	}
}

// look reads the notes of all tasks.
func (p *Peers) look(notes [][]byte) {
	now := time.Now()
	for i, text := range notes {
		n, ok := readNote(text)
		if !ok || i >= len(p.seen) || i == p.This {
			continue
		}
		p.mu.Lock()
		was := p.seen[i]
		if n.Process != was.Process || n.Beat != was.Beat || was.changed.IsZero() {
			p.seen[i] = sighting{n, now}
		}
		p.mu.Unlock()
		if p.hasJoined() && n.Process != was.Process {
			p.lose(i, "was started again")
		}
	}
	if p.Chief() {
		p.judge(now)
	} else {
		p.follow()
	}
}

// judge is what the chief makes of the notes.
func (p *Peers) judge(now time.Time) {
	joined, all := p.hasJoined(), true
	for i := 1; i < len(p.Names); i++ {
		p.mu.Lock()
		s := p.seen[i]
		switch {
		case s.changed.IsZero():
			all = false
		case s.State == ended && s.Because != nil:
			p.decide(s.Because.err(p.Name(s.Because.Task)))
		case s.State == asking:
			p.decide((&because{Task: i, Interrupted: true}).err(p.Name(i)))
		}
		p.mu.Unlock()
		quiet := now.Sub(s.changed)
		switch {
		case !joined || s.State == ended:
		case quiet > p.Timeout/2:
			p.lose(i, "has not answered for %v", p.Timeout/2)
		case quiet > 3*p.interval() && p.gone(i):
			p.lose(i, "has ended")
		}
	}
	if all && !joined {
		p.start()
	}
}

func (p *Peers) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own.State == waiting {
		p.own.State = together
	}
	close(p.ready)
}

// follow is what a worker makes of the chief's note.
func (p *Peers) follow() {
	p.mu.Lock()
	chief := p.seen[0]
	p.mu.Unlock()
	if chief.State != waiting && !p.hasJoined() {
		p.start()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case chief.State != stopping && chief.State != ended:
	case chief.Because != nil:
		p.decide(chief.Because.err(p.Name(chief.Because.Task)))
	case chief.State == ended:
		p.decide(errDone)
	}
}

// mayLeave reports whether nobody needs this process any more, once it has told that it
// is over: the chief stays until all others know that too, or have gone.
func (p *Peers) mayLeave() bool {
	for i := 1; i < len(p.Names) && p.Chief(); i++ {
		p.mu.Lock()
		s := p.seen[i]
		p.mu.Unlock()
		quiet := time.Since(s.changed)
		if !(s.State == ended && s.Over) && quiet <= p.Timeout/2 && !(quiet > 3*p.interval() && p.gone(i)) {
			return false
		}
	}
	return true
}
