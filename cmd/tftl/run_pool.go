package main

import (
	"context"
	"fmt"

	"tftl/pipeline"
	"tftl/savedmodels"
)

// pool holds what the runs of a batch share: the last model, and its head's
// graph, open. A head is another run's once Init has made it anew, for nothing
// that trains it touches what lies below its cut. A run that begins with another
// run's weights does, and has the graph to itself.
type pool struct {
	runtimes map[savedmodels.Options]*savedmodels.Runtime
	key      string // of the model: its folder and session
	model    *savedmodels.Model
	head     pipeline.Stage // nil: not open
}

func newPool() *pool { return &pool{runtimes: map[savedmodels.Options]*savedmodels.Runtime{}} }

// load gives a model, the last one again where it is the same.
func (p *pool) load(path string, session savedmodels.Options) (*savedmodels.Model, error) {
	r, ok := p.runtimes[session]
	if !ok {
		var err error
		if r, err = savedmodels.Resolve(session); err != nil {
			return nil, err
		}
		p.runtimes[session] = r
	}
	key := fmt.Sprintf("%s %+v", path, session)
	if p.model != nil && key == p.key {
		return p.model, nil
	}
	model, err := savedmodels.Load(path, r)
	if err != nil {
		return nil, err
	}
	p.close()
	p.model, p.key = model, key
	return model, nil
}

// opener opens stages of the model that was loaded last, for a run.
func (p *pool) opener(o fitOptions) pipeline.Opener {
	if o.config.Model.InitFrom == nil {
		return p
	}
	p.close()
	return p.model
}

// Open is a pipeline.Opener's. One graph is open at a time.
func (p *pool) Open(ctx context.Context, name string) (pipeline.Stage, error) {
	if name != headStage {
		p.close()
		return p.model.Open(ctx, name)
	}
	if p.head == nil {
		var err error
		if p.head, err = p.model.Open(ctx, name); err != nil {
			return nil, err
		}
	}
	return borrowed{p.head}, nil
}

// close lets the open graph go.
func (p *pool) close() {
	if p.head != nil {
		_ = p.head.Close()
	}
	p.head = nil
}

// headStage is what every model calls the depth that trains its head alone.
const headStage = "head"

// borrowed is a stage that stays open.
type borrowed struct{ pipeline.Stage }

func (borrowed) Close() error { return nil }
