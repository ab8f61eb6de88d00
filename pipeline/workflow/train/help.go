package train

import (
	"context"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// Help takes part in the run that the chief of the cluster begins or resumes. The
// request is the chief's own: the chief resumes the run in a folder that this process
// need not have. moved says where data and model of a resumed run are here. The caller
// closes the run.
func Help(ctx context.Context, r Request, moved Moved, env workflow.Env) (*Run, error) {
	var begin beginning
	if err := tell(r.Cluster, "run", &begin); err != nil {
		return nil, err
	}
	if !begin.Resumed {
		p, err := Prepare(ctx, r, env)
		if err != nil {
			return nil, err
		}
		return p.Begin(ctx)
	}
	config, _, err := moved.apply(begin.Config, "the chief's folder")
	if err != nil {
		return nil, err
	}
	h := &Run{Config: config, env: env, digests: env.Digests(), options: r.Options, unlock: func() {}, resumed: true}
	if h.network, err = env.Load(config.Model.Path, r.Session.Again(config.Runtime)); err != nil {
		return nil, err
	}
	if err := sameModel(config, h.network.Info()); err != nil {
		return nil, err
	}
	if h.set, err = dataset.OpenRecorded(config.Data.Path, DataOptions(config), begin.Record, pipeline.AllParts); err != nil {
		return nil, pipeline.About("data", err)
	}
	if err := h.agree(); err != nil {
		return nil, err
	}
	if err := h.options.hash(ctx, h.set, h.digests, config.Training.BatchSize, env.Progress); err != nil {
		return nil, err
	}
	env.Remember()
	return h, h.share()
}

// share gives the place where a resumed run goes on to all processes.
func (r *Run) share() error {
	at := standing{r.state, r.history, r.Config.Model.InitFrom}
	if err := tell(r.options.Cluster, "state", &at); err != nil {
		return err
	}
	r.state, r.history, r.Config.Model.InitFrom = at.State, at.History, at.InitFrom
	return nil
}

// help runs the loop in a process that has no run folder.
func (r *Run) help(ctx context.Context) error {
	progress := rundir.Timed(r.env.Show)
	in := r.inputs(progress)
	defer in.close()
	_, err := pipeline.Fit(ctx, r.job(in, nowhere{}, progress))
	return err
}

// job is the input of the loop.
func (r *Run) job(in *inputs, recorder pipeline.Recorder, progress pipeline.Progress) pipeline.Job {
	job := pipeline.Job{
		Plan: plan(r.Config, r.set.Classes, epochLength(r.Config.Training, r.set)), Model: in, Inputs: in.open, Measure: measure, Terms: termsOf(r.Config.Training.Monitor),
		Recorder: recorder, Progress: progress, SaveEvery: r.options.SaveEvery,
		State: r.state, History: r.history,
	}
	if c := r.options.Cluster; c != nil { // a nil Cluster would not be a nil Peers
		job.Peers = c
	}
	return job
}
