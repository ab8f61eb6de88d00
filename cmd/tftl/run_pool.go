package main

import (
	"context"
	"fmt"

	"tftl/pipeline"
	"tftl/savedmodels"
)

// pool holds what the runs of a batch share: the last model, with the graphs of
// its head and of what serves, open. A head is another run's once Init has made it anew, for nothing
// that trains it touches what lies below its cut. A run that begins with another
// run's weights does, and has the graph to itself.
type pool struct {
	runtimes map[savedmodels.Options]*savedmodels.Runtime
	key      string // of the model: its folder and session
	model    *savedmodels.Model
	head     pipeline.Stage        // nil: not open
	exporter *savedmodels.Exporter // likewise
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
	model, err := loadForTraining(path, r)
	if err != nil {
		return nil, err
	}
	p.close()
	p.model, p.key = model, key
	return model, nil
}

// network is the model that was loaded last, for a run.
func (p *pool) network(o fitOptions) pipeline.Model {
	if o.config.Model.InitFrom == nil {
		return p
	}
	p.close()
	return p.model
}

// Open is a pipeline.Model's. One stage is open at a time.
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

// Export is a pipeline.Model's.
func (p *pool) Export(ctx context.Context, checkpoint, dir string, labels []string) error {
	if p.exporter == nil {
		var err error
		if p.exporter, err = p.model.Exporter(); err != nil {
			return err
		}
	}
	return p.exporter.Export(ctx, checkpoint, dir, labels)
}

// close lets the open graphs go.
func (p *pool) close() {
	if p.head != nil {
		_ = p.head.Close()
	}
	if p.exporter != nil {
		p.exporter.Close()
	}
	p.head, p.exporter = nil, nil
}

// headStage is what every model calls the depth that trains its head alone.
const headStage = "head"

// borrowed is a stage that stays open.
type borrowed struct{ pipeline.Stage }

func (borrowed) Close() error { return nil }
