package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tftl/pipeline"
)

// hub is where the notes and queues of a cluster lie. Tasks that are stopped neither
// beat nor get an answer.
type hub struct {
	mu      sync.Mutex
	notes   [][]byte
	queues  map[string]chan []byte
	stopped map[int]bool
	dead    map[int]bool
	ended   sync.WaitGroup // of the tasks that are not lost
}

func newHub(tasks int) *hub {
	h := &hub{notes: make([][]byte, tasks), queues: map[string]chan []byte{}, stopped: map[int]bool{}, dead: map[int]bool{}}
	h.ended.Add(tasks - 1)
	return h
}

func (h *hub) queue(from, to int) chan []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := fmt.Sprint(from, to)
	if h.queues[name] == nil {
		h.queues[name] = make(chan []byte, 4)
	}
	return h.queues[name]
}

// end is a task's end of the hub.
type end struct {
	*hub
	task  int
	once  sync.Once
	ended chan struct{}
	why   error
}

func (h *hub) link(task int) *end { return &end{hub: h, task: task, ended: make(chan struct{})} }

func (e *end) Beat(note []byte) ([][]byte, error) {
	for {
		e.mu.Lock()
		stopped, dead := e.stopped[0] || e.stopped[e.task], e.dead[0]
		if !stopped && !dead {
			e.notes[e.task] = note
		}
		notes := slices.Clone(e.notes)
		e.mu.Unlock()
		switch {
		case dead && e.task != 0:
			return nil, errors.New("connection refused")
		case !stopped:
			return notes, nil
		}
		time.Sleep(time.Millisecond)
	}
}

func (e *end) Send(task int, message []byte) error {
	select {
	case e.queue(e.task, task) <- message:
		return nil
	case <-e.ended:
		return e.why
	}
}

func (e *end) Receive(task int) ([]byte, error) {
	select {
	case message := <-e.queue(task, e.task):
		return message, nil
	case <-e.ended:
		return nil, e.why
	}
}

func (e *end) End(why error) {
	e.once.Do(func() {
		e.why = why
		close(e.ended)
	})
}

// team is a cluster of three tasks, and what becomes of each.
type team struct {
	*hub
	results [3]error
	took    [3]time.Duration
}

const testTimeout = 8 * time.Second

// work runs the same in three tasks and returns when all have ended. Those that are
// absent do not start.
func work(absent int, do func(ctx context.Context, p *Peers, h *hub) error) *team {
	t := &team{hub: newHub(3)}
	began := time.Now()
	var all sync.WaitGroup
	for task := range t.results {
		if task == absent {
			continue
		}
		all.Go(func() {
			watch := Watch{Names: []string{"chief", "worker 0", "worker 1"}, This: task, Timeout: testTimeout, Start: time.Minute, Gone: func(task int) bool {
				t.mu.Lock()
				defer t.mu.Unlock()
				return t.dead[task]
			}}
			p, err := Join(context.Background(), watch, t.link(task))
			if err == nil {
				ctx, cancel := p.Context(context.Background())
				err = p.Do(func() error { return do(ctx, p, t.hub) })
				cancel()
				err = errors.Join(err, p.Leave(err))
			}
			t.results[task], t.took[task] = err, time.Since(began)
		})
	}
	all.Wait()
	t.mu.Lock()
	clear(t.stopped) // calls that never return would be a deadlock for the test
	t.mu.Unlock()
	synctest.Wait()
	time.Sleep(time.Second)
	return t
}

// want checks what became of the tasks. An empty text stands for a task that did well,
// "-" for one that does not matter.
func (team *team) want(t *testing.T, kind pipeline.Kind, texts ...string) {
	t.Helper()
	for task, text := range texts {
		err := team.results[task]
		switch {
		case text == "-":
		case text == "":
			if err != nil {
				t.Errorf("task %d: %v", task, err)
			}
		case err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") || pipeline.KindOf(err) != kind:
			t.Errorf("task %d: got %v of kind %d, want %q of kind %d", task, err, pipeline.KindOf(err), text, kind)
		}
	}
}

func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		team := work(-1, func(_ context.Context, p *Peers, _ *hub) error {
			for round := range 20 {
				all, err := p.Exchange(fmt.Sprint("round ", round), fmt.Appendf(nil, "%d of %d", round, p.This))
				if err != nil {
					return err
				}
				for task, part := range all {
					if want := fmt.Sprintf("%d of %d", round, task); string(part) != want {
						return fmt.Errorf("got %q, want %q", part, want)
					}
				}
			}
			return nil
		})
		team.want(t, pipeline.Other, "", "", "")
	})
}

func TestTasksAtDifferentPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		team := work(-1, func(_ context.Context, p *Peers, _ *hub) error {
			_, err := p.Exchange([]string{"a", "a", "b"}[p.This], nil)
			return err
		})
		team.want(t, pipeline.Other, "not at the same place", "not at the same place", "not at the same place")
	})
}

// wait is work that lasts until the cluster ends.
func wait(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestATaskThatDoesNotCome(t *testing.T) {
	for _, absent := range []int{0, 2} {
		synctest.Test(t, func(t *testing.T) {
			team := work(absent, func(ctx context.Context, _ *Peers, h *hub) error { return wait(ctx) })
			texts := []string{"worker 1 did not come within 1m0s", "worker 1 did not come within 1m0s", "-"}
			if absent == 0 {
				texts = []string{"-", "chief did not come within 1m0s", "chief did not come within 1m0s"}
			}
			team.want(t, pipeline.PeerLost, texts...)
		})
	}
}

// A task that stops answering, or whose process has gone, ends all others in time.
func TestLostTasks(t *testing.T) {
	for _, lost := range []int{0, 1, 2} {
		for _, how := range []string{"stopped", "dead"} {
			synctest.Test(t, func(t *testing.T) {
				var since time.Time
				team := work(-1, func(ctx context.Context, p *Peers, h *hub) error {
					if p.This != lost {
						defer h.ended.Done()
						return wait(ctx)
					}
					time.Sleep(time.Second)
					since = time.Now()
					h.mu.Lock()
					h.stopped[lost], h.dead[lost] = true, how == "dead"
					h.mu.Unlock()
					h.ended.Wait()
					return nil
				})
				texts := []string{p2(lost), p2(lost), p2(lost)}
				texts[lost] = "-"
				team.want(t, pipeline.PeerLost, texts...)
				for task, took := range team.took {
					if most := time.Second + testTimeout; task != lost && took > most {
						t.Errorf("task %d ended after %v, and %d was lost at %v", task, took, lost, since)
					}
				}
			})
		}
	}
}

// A task whose work does not return ends in time too.
func TestWorkThatDoesNotReturn(t *testing.T) {
	for _, stuck := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			never, began := make(chan struct{}), time.Now()
			var stopped time.Duration
			team := work(-1, func(ctx context.Context, p *Peers, h *hub) error {
				switch p.This {
				case stuck:
					<-never
					return nil
				case 2:
					h.mu.Lock()
					h.stopped[2], stopped = true, time.Since(began)
					h.mu.Unlock()
				}
				return wait(ctx)
			})
			close(never)
			team.want(t, pipeline.PeerLost, p2(2), p2(2), "-")
			for task, took := range team.took[:2] {
				if took > stopped+testTimeout {
					t.Errorf("task %d ended after %v, and task 2 stopped at %v", task, took, stopped)
				}
			}
		})
	}
}

func p2(task int) string { return []string{"chief has", "worker 0 has", "worker 1 has"}[task] }

func TestAFailureEndsAllWithItsKind(t *testing.T) {
	for _, failing := range []int{0, 2} {
		synctest.Test(t, func(t *testing.T) {
			team := work(-1, func(ctx context.Context, p *Peers, _ *hub) error {
				if p.This == failing {
					return pipeline.Errorf(pipeline.BadData, "%s no.jpg: is bad", pipeline.Option("data"))
				}
				return wait(ctx)
			})
			team.want(t, pipeline.BadData, "no.jpg: is bad", "no.jpg: is bad", "no.jpg: is bad")
			for task, err := range team.results {
				if named := strings.HasPrefix(err.Error(), p2(failing)[:5]); named == (task == failing) {
					t.Errorf("task %d: %v", task, err)
				}
			}
		})
	}
}

// An interrupted worker ends nothing by itself: the chief stops between two steps, and
// only then do the others.
func TestAnInterruptedWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saved time.Time
		var mu sync.Mutex
		team := &team{hub: newHub(3)}
		var all sync.WaitGroup
		for task := range team.results {
			all.Go(func() {
				signals, interrupt := context.WithCancel(context.Background())
				defer interrupt()
				watch := Watch{Names: []string{"chief", "worker 0", "worker 1"}, This: task, Timeout: testTimeout, Start: time.Minute}
				p, err := Join(signals, watch, team.link(task))
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := p.Context(signals)
				defer cancel()
				if task == 1 {
					interrupt()
				}
				err = wait(ctx)
				mu.Lock()
				if task == 0 {
					time.Sleep(time.Second) // it saves
					saved = time.Now()
				} else if saved.IsZero() {
					t.Errorf("task %d stopped before the chief", task)
				}
				mu.Unlock()
				err = p.Verdict(err)
				team.results[task] = errors.Join(err, p.Leave(err))
			})
		}
		all.Wait()
		for task, err := range team.results {
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "worker 0") {
				t.Errorf("task %d: %v", task, err)
			}
		}
	})
}

// A chief that is done early, because of a time limit, is no lost peer.
func TestTheChiefIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		team := work(-1, func(ctx context.Context, p *Peers, _ *hub) error {
			if p.Chief() {
				return nil
			}
			_, err := p.Exchange("step", nil)
			return errors.Join(err, wait(ctx))
		})
		team.want(t, pipeline.Other, "", "", "")
	})
}

func TestDamagedNotesAndMessages(t *testing.T) {
	for _, text := range []string{"", "{", `{"beat":1}`, `[]`, "\xff"} {
		if _, ok := readNote([]byte(text)); ok {
			t.Errorf("%q is a note", text)
		}
	}
	whole := pack([]byte("what"), []byte("part"))
	for n := range len(whole) {
		if parts, err := unpack(whole[:n]); err == nil && len(parts) == 2 {
			t.Errorf("%q is whole", whole[:n])
		}
	}
}
