package batch

import (
	"runtime"
	"slices"
	"strings"
	"sync"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
)

// mostJobs is how many runs are done at the same time unless the request says so:
// each has the network in memory.
const mostJobs = 4

// jobs is how many runs may be done at the same time.
func (r Request) jobs() int {
	n := r.Jobs
	if n == 0 {
		n = min(runtime.GOMAXPROCS(0), mostJobs)
	}
	return max(1, min(n, len(r.Runs)))
}

// light reports whether a run only trains a head on cached features, which leaves
// most of the machine idle. Other runs use all of it, so two at a time would take
// as long and need twice the memory.
func light(config rundir.Config, cache train.Cache) bool {
	t := config.Training
	for _, s := range t.Stages {
		if s.Name != train.HeadStage {
			return false
		}
	}
	gpu := slices.ContainsFunc(config.Runtime.Devices, func(d string) bool { return strings.HasPrefix(d, "GPU") })
	return !cache.Off && !t.FrozenEachEpoch() && !gpu
}

// alone reports whether a run is done while no other is. One that starts from
// another run's weights may start from a run of the batch, which must have ended.
func (b *Batch) alone(j *Job) bool {
	return j.State != Done && (j.Train.InitFrom != "" || b.request.Jobs == 0 && !j.light)
}

// take waits for a free pool, or for all of them if a run is done alone.
func (b *Batch) take(j *Job) []*pool {
	taken := []*pool{<-b.free}
	if b.alone(j) {
		for len(taken) < len(b.pools) {
			p := <-b.free
			p.close() // makes room
			taken = append(taken, p)
		}
	}
	return taken
}

func (b *Batch) give(taken []*pool) {
	for _, p := range taken {
		b.free <- p
	}
}

// envOf returns the environment for a run, which uses the graphs of a pool.
func (b *Batch) envOf(j *Job, p *pool) workflow.Env {
	env := b.env
	env.Load, env.Shared = p.load, j.digests
	if j.Train.InitFrom != "" {
		env.Load = p.alone
	}
	if len(b.pools) == 1 || b.alone(j) {
		return env
	}
	env.Note = func(n workflow.Note) {
		n.Run = j.Name
		b.env.Note(n)
	}
	env.Show = func(e pipeline.Event, t rundir.Timing) {
		e.Run = j.Name
		b.env.Show(e, t)
	}
	return env
}

// together returns an environment like another whose functions may be called from
// several goroutines. Runs on the same data would repeat its warnings, so each is
// given once.
func together(env workflow.Env) workflow.Env {
	var making, showing sync.Mutex
	warned := map[string]bool{}
	with := env
	with.Caches, with.ReadOnce = new(workflow.Caches), workflow.NewReadOnce(evaluate.MostHeld)
	with.Load = func(path string, s workflow.Session) (workflow.Network, error) {
		making.Lock()
		defer making.Unlock()
		return env.Load(path, s)
	}
	with.Decoder = func(in workflow.Input, workers int) (workflow.Decoder, error) {
		making.Lock()
		defer making.Unlock()
		return env.Decoder(in, workers)
	}
	with.Augmenter = func(a pipeline.Augmentation, seed uint64, in workflow.Input, threads int) (workflow.Augmenter, error) {
		making.Lock()
		defer making.Unlock()
		return env.Augmenter(a, seed, in, threads)
	}
	with.Show = func(e pipeline.Event, t rundir.Timing) {
		showing.Lock()
		defer showing.Unlock()
		if env.Show != nil {
			env.Show(e, t)
		}
	}
	with.Note = func(n workflow.Note) {
		showing.Lock()
		defer showing.Unlock()
		text := n.String()
		if env.Note == nil || n.Warning && warned[text] {
			return
		}
		warned[text] = n.Warning
		env.Note(n)
	}
	return with
}
