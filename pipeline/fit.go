package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Plan is everything that decides what a run computes, beside its data and
// its model. The wall clock is no part of it.
type Plan struct {
	Classes   int
	Units     []int // widths of the head's hidden layers
	Seed      uint64
	BatchSize int
	Stages    []StagePlan
	Watch     Watch
	// Deeper is asked after each stage whether the next one is worth its while;
	// nil trains them all. It must be a pure function, as Watch.
	Deeper func(history []Epoch) bool
	// ClassWeights multiply the weights of a class's samples in training, a
	// figure for each label; nil leaves them as they are. Validation has none.
	ClassWeights []float64
	// LabelSmoothing s, from 0 to below 1, trains towards 1-s+s/C for a sample's
	// class and s/C for each other, as Keras' losses do; for two classes that is
	// its binary cross-entropy's, too. Validation's loss is not smoothed.
	LabelSmoothing float64
	// InitFrom is the path prefix of a checkpoint that the run begins with,
	// empty for the model's own weights; FreshHead gives its head up.
	InitFrom  string
	FreshHead bool
}

// StagePlan is how one stage is trained.
type StagePlan struct {
	Stage    string // a name that the model has
	Epochs   int    // at most
	Schedule Schedule
	Scale    Scale           // nil for none
	Hyper    Hyperparameters // its LearningRate is Schedule's times Scale's
}

// Schedule is the learning rate of a step, counted from 0 within the stage.
type Schedule func(step int) float64

// Scale is what a stage's epochs so far make of the learning rate of its next
// one. It must be a pure function, as Watch.
type Scale func(stage []Epoch) float64

// Watch looks at the history so far, the newest epoch last, and says whether
// that epoch is the best and whether to end the stage. It must be a pure
// function, for a resumed run asks it again.
type Watch func(history []Epoch) Verdict

// Verdict is Watch's answer.
type Verdict struct{ Best, Stop bool }

// Opener is the part of a Model that Fit needs.
type Opener interface {
	Open(ctx context.Context, stage string) (Stage, error)
}

// Inputs gives the training and the validation part as features of an open stage.
type Inputs func(ctx context.Context, name string, stage Stage) (train, validation Source, err error)

// Recorder keeps what a run leaves behind.
type Recorder interface {
	Epoch(Epoch) error
	// Save gives save a path prefix and puts what it wrote, with the state, in
	// the named checkpoint's place.
	Save(name string, state State, save func(prefix string) error) error
	// Checkpoint is the path prefix of a saved checkpoint.
	Checkpoint(name string) string
}

// The checkpoints of a run.
const (
	Best = "best" // the weights that Watch liked best
	Last = "last" // where the run stands
)

// State is where a run stands: what Fit needs to go on from the last
// checkpoint, beside the history, as if it had never stopped.
type State struct {
	Stage   int  `json:"stage"`    // in hand, an index of the plan's
	Begun   bool `json:"begun"`    // whether the checkpoint has its weights
	InStage int  `json:"in_stage"` // epochs of it that have ended
	Began   int  `json:"began"`    // step at which it began
	Step    int  `json:"step"`     // steps taken in all
	Epochs  int  `json:"epochs"`   // ended in all: lines of the history
	// The epoch in hand.
	Batch   int     `json:"batch"`   // batches that are done
	Seen    int     `json:"seen"`    // samples of them
	Loss    float64 `json:"loss"`    // summed over those samples
	Correct int     `json:"correct"` // of those samples
}

// Job is what Fit works on.
type Job struct {
	Plan     Plan
	Model    Opener
	Inputs   Inputs
	Measure  Measure
	Recorder Recorder
	Progress Progress
	// SaveEvery is how long after one last checkpoint the next is written, 0
	// for each step. One can take longer than an epoch on cached features; a
	// killed run repeats what came after it. It changes no result.
	SaveEvery time.Duration
	// State and History are where to go on from; their zero values begin a run.
	State   State
	History []Epoch
}

// Fit trains the plan's stages one after the other and returns the history.
//
// It owns when. Each epoch: every batch of Order, then validation, one line of
// history, and the best checkpoint where Watch says so. A stage after the
// first begins from the best weights so far. When ctx ends, the step in hand
// is finished and the last checkpoint written; the error is then ctx's, or
// that of the checkpoint.
// An error of kind Diverged leaves the best checkpoint as it was.
func Fit(ctx context.Context, job Job) ([]Epoch, error) {
	f := &fit{Job: job, saved: time.Now()}
	for f.State.Stage < len(f.Plan.Stages) {
		if err := f.stage(ctx); err != nil {
			return f.History, err
		}
	}
	return f.History, nil
}

// fit is a Job under way.
type fit struct {
	Job
	stagePlan StagePlan
	open      Stage
	saved     time.Time // of the last checkpoint
}

// stage trains one stage, or what is left of it.
func (f *fit) stage(ctx context.Context) (err error) {
	f.stagePlan = f.Plan.Stages[f.State.Stage]
	if f.open, err = f.Model.Open(ctx, f.stagePlan.Stage); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.open.Close()) }()
	if err := f.begin(ctx); err != nil {
		return err
	}
	train, validation, err := f.Inputs(ctx, f.stagePlan.Stage, f.open)
	if err != nil {
		return f.leave(ctx, err)
	}
	for f.State.InStage < f.stagePlan.Epochs {
		verdict, err := f.epoch(ctx, train, validation)
		if err != nil {
			return f.leave(ctx, err)
		}
		if verdict.Stop {
			break
		}
	}
	f.State = State{Stage: f.State.Stage + 1, Step: f.State.Step, Epochs: f.State.Epochs}
	if f.Plan.Deeper != nil && !f.Plan.Deeper(f.History) {
		f.State.Stage = len(f.Plan.Stages)
	}
	return f.saveLast()
}

// begin gives the open stage the weights that it starts or goes on from.
func (f *fit) begin(ctx context.Context) error {
	if f.State.Begun {
		return f.open.Restore(ctx, f.Recorder.Checkpoint(Last))
	}
	var err error
	if f.State.Stage == 0 {
		err = f.Plan.initialize(ctx, f.open)
	} else if _, ok := BestOf(f.History); ok {
		err = f.open.Restore(ctx, f.Recorder.Checkpoint(Best))
	} else {
		err = Errorf(Diverged, "stage %s: no epoch before it was any good", f.stagePlan.Stage)
	}
	if err == nil {
		err = f.open.Begin(ctx)
	}
	if err != nil {
		return err
	}
	f.State.Begun, f.State.Began = true, f.State.Step
	if f.State.Stage == 0 {
		return nil
	}
	// From here on the best checkpoint may become this stage's own: a resumed
	// run must not begin the stage from that.
	return f.saveLast()
}

// initialize gives the stage of a new run its weights.
func (p Plan) initialize(ctx context.Context, stage Stage) error {
	if p.InitFrom != "" {
		if err := stage.Restore(ctx, p.InitFrom); err != nil || !p.FreshHead {
			return err
		}
	}
	return stage.Init(ctx, p.Classes, p.Units, p.Seed)
}

// epoch trains what is left of an epoch, validates and records it.
func (f *fit) epoch(ctx context.Context, train, validation Source) (Verdict, error) {
	s, number := &f.State, f.State.Epochs+1
	event := Event{Stage: f.stagePlan.Stage, Epoch: s.InStage + 1, Epochs: f.stagePlan.Epochs}
	order := Order(f.Plan.Seed, number, train.Len())
	rest := order[min(s.Batch*f.Plan.BatchSize, len(order)):]
	for batch, err := range batches(ctx, train, number, rest, f.Plan.BatchSize) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f.step(ctx, batch)
		}
		if err != nil {
			return Verdict{}, err
		}
		event.Phase, event.Done, event.Total = "train", s.Seen, len(order)
		event.Loss, event.Accuracy = s.Loss/float64(s.Seen), float64(s.Correct)/float64(s.Seen)
		f.Progress.report(event)
	}
	if err := ctx.Err(); err != nil {
		return Verdict{}, err
	}
	event.Phase = "validate"
	predictions, err := evaluate(ctx, validation, Top{f.open}, f.Plan.BatchSize, f.Progress, event)
	if err != nil {
		return Verdict{}, err
	}
	verdict, err := f.conclude(Epoch{
		Stage: f.stagePlan.Stage, Epoch: number, Step: s.Step, LearningRate: f.rate(s.Step - 1),
		Train:      []Metric{{"loss", s.Loss / float64(s.Seen)}, {"accuracy", float64(s.Correct) / float64(s.Seen)}},
		Validation: f.Measure(predictions),
	})
	if err != nil {
		return Verdict{}, err
	}
	event.Phase, event.Record = "epoch", f.History[len(f.History)-1]
	f.Progress.report(event)
	return verdict, nil
}

// rate is the learning rate of a step of the epoch in hand.
func (f *fit) rate(step int) float64 {
	rate := f.stagePlan.Schedule(step - f.State.Began)
	if f.stagePlan.Scale != nil {
		rate *= f.stagePlan.Scale(f.History[len(f.History)-f.State.InStage:])
	}
	return rate
}

// step takes one step. One that has begun is finished, so that its effect is
// whole and counted.
func (f *fit) step(ctx context.Context, batch Batch) error {
	s, hyper := &f.State, f.stagePlan.Hyper
	hyper.LearningRate = f.rate(s.Step)
	batch.target(f.Plan)
	result, err := f.open.Step(context.WithoutCancel(ctx), batch, hyper)
	if err != nil {
		return fmt.Errorf("stage %s, epoch %d: %w", f.stagePlan.Stage, s.Epochs+1, err)
	}
	if !result.Finite {
		return f.diverged(result.Loss)
	}
	s.Step++
	s.Batch++
	s.Seen += len(batch.Samples)
	s.Loss += result.Loss * float64(len(batch.Samples))
	s.Correct += hits(batch.Samples, result.Logits)
	if time.Since(f.saved) >= f.SaveEvery {
		return f.saveLast()
	}
	return nil
}

// diverged is the error of a step that was not taken.
func (f *fit) diverged(loss float64) error {
	err := Errorf(Diverged, "stage %s, epoch %d, step %d: training diverged: a gradient is not finite (loss %g)",
		f.stagePlan.Stage, f.State.Epochs+1, f.State.Step+1, loss)
	if _, ok := BestOf(f.History); ok {
		return WithHint(err, "a smaller %s usually helps; %s this run begins with its best epoch, which is kept", Option("lr"), Option("init-from"))
	}
	return WithHint(err, "a smaller %s usually helps", Option("lr"))
}

// conclude asks Watch, keeps the best weights, and then records: a line of the
// history never speaks of a checkpoint that is not there.
func (f *fit) conclude(record Epoch) (Verdict, error) {
	verdict := f.Plan.Watch(append(f.History, record))
	record.Best = verdict.Best
	next := f.State
	next.Epochs, next.InStage = next.Epochs+1, next.InStage+1
	next.Batch, next.Seen, next.Loss, next.Correct = 0, 0, 0, 0
	if verdict.Best {
		if err := f.save(Best, next); err != nil {
			return Verdict{}, err
		}
	}
	if err := f.Recorder.Epoch(record); err != nil {
		return Verdict{}, err
	}
	f.History, f.State = append(f.History, record), next
	return verdict, nil
}

// leave writes the last checkpoint where the run was interrupted.
func (f *fit) leave(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if err := f.saveLast(); err != nil {
		return err
	}
	return ctx.Err()
}

func (f *fit) saveLast() error {
	f.saved = time.Now()
	return f.save(Last, f.State)
}

// save is not for cancelling: a checkpoint is written whole.
func (f *fit) save(name string, state State) error {
	return f.Recorder.Save(name, state, func(prefix string) error {
		return f.open.Save(context.Background(), prefix)
	})
}

// target fills in what a step trains towards: the sample's class, smoothed, and
// its weight times its class's.
func (b *Batch) target(p Plan) {
	b.Targets = make([]float32, len(b.Samples)*p.Classes)
	b.Weights = make([]float32, len(b.Samples))
	others := p.LabelSmoothing / float64(p.Classes)
	for i, s := range b.Samples {
		row := b.Targets[i*p.Classes : (i+1)*p.Classes]
		for c := range row {
			row[c] = float32(others)
		}
		row[s.Label] = float32(1 - p.LabelSmoothing + others)
		b.Weights[i] = s.Weight
		if p.ClassWeights != nil {
			b.Weights[i] *= float32(p.ClassWeights[s.Label])
		}
	}
}

// hits counts the rows whose largest logit is the sample's class.
func hits(samples []Sample, logits []float32) int {
	classes, count := len(logits)/len(samples), 0
	for i, s := range samples {
		row, best := logits[i*classes:(i+1)*classes], 0
		for c, z := range row {
			if z > row[best] {
				best = c
			}
		}
		if best == s.Label {
			count++
		}
	}
	return count
}
