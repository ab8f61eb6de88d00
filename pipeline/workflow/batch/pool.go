package batch

import (
	"context"
	"fmt"

	"tftl/pipeline"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/train"
)

// pool holds what the runs of a batch share: the last network, with its open head
// stage. Init resets the head for the next run. Training the
// head changes nothing below its cut, so the rest can be shared. Starting from
// another run's weights does change it: see alone.
type pool struct {
	from    func(path string, s workflow.Session) (workflow.Network, error)
	key     string // of the network: its path and session
	network workflow.Network
	head    pipeline.Stage // nil if not open
	busy    bool           // a run has the head
	enough  bool           // close the head once the run gives it back
}

func newPool(from func(string, workflow.Session) (workflow.Network, error)) *pool {
	return &pool{from: from}
}

// load is the Load of a workflow.Env. It returns the last network again if it is
// the same.
func (p *pool) load(path string, s workflow.Session) (workflow.Network, error) {
	key := fmt.Sprintf("%s %+v", path, s)
	if p.network == nil || key != p.key {
		network, err := p.from(path, s)
		if err != nil {
			return nil, err
		}
		p.close()
		p.network, p.key = network, key
	}
	return &lent{p.network, p}, nil
}

// alone is load for a run that starts from another run's weights. It gets its own
// graphs, because shared ones would keep those weights.
func (p *pool) alone(path string, s workflow.Session) (workflow.Network, error) {
	if _, err := p.load(path, s); err != nil {
		return nil, err
	}
	p.close()
	return p.network, nil
}

// close closes the open graph.
func (p *pool) close() {
	if p.head != nil {
		_ = p.head.Close()
	}
	p.head, p.enough = nil, false
}

// lent is a network of the pool. It shares graphs until the pool has another
// network.
type lent struct {
	workflow.Network
	pool *pool
}

func (l *lent) current() bool { return l.pool.network == l.Network }

// Open opens a stage, or lends the open head. The head stays open beside a deeper
// stage only while a run has both, because one computes features for the other.
func (l *lent) Open(ctx context.Context, name string) (pipeline.Stage, error) {
	if !l.current() {
		return l.Network.Open(ctx, name)
	}
	if name != train.HeadStage {
		if l.pool.enough = l.pool.busy; !l.pool.busy {
			l.pool.close()
		}
		return l.Network.Open(ctx, name)
	}
	if l.pool.head == nil {
		head, err := l.Network.Open(ctx, name)
		if err != nil {
			return nil, err
		}
		l.pool.head = head
	}
	l.pool.busy = true
	return borrowed{l.pool.head, l.pool}, nil
}

// borrowed is a stage that stays open for the next run.
type borrowed struct {
	pipeline.Stage
	pool *pool
}

func (b borrowed) Close() error {
	b.pool.busy = false
	if b.pool.enough {
		b.pool.close()
	}
	return nil
}
