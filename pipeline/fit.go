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
	Units     int // width of the head's hidden layers
	Seed      uint64
	BatchSize int
	Stages    []StagePlan
	Watch     Watch
}

// StagePlan is how one stage is trained.
type StagePlan struct {
	Stage    string // a name that the model has
	Epochs   int    // at most
	Schedule Schedule
	Hyper    Hyperparameters // its LearningRate is Schedule's
}

// Schedule is the learning rate of a step, counted from 0 within the stage.
type Schedule func(step int) float64

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
	// Save gives save a path prefix and puts what it wrote in the named checkpoint's place.
	Save(name string, save func(prefix string) error) error
	// Checkpoint is the path prefix of a saved checkpoint.
	Checkpoint(name string) string
}

// The checkpoints of a run.
const (
	Best = "best" // the weights that Watch liked best
	Last = "last" // where the run stands
)

// lastEvery is how often the last checkpoint is written: it can take longer
// than an epoch on cached features. A killed run repeats that much.
const lastEvery = 30 * time.Second

// Event is one moment of a loop, for whoever shows progress.
type Event struct {
	Phase    string // "features", "train", "validate", "evaluate", or "epoch" when one has ended
	Stage    string
	Epoch    int // from 1 over the whole run
	Epochs   int // of the whole plan
	Done     int // samples
	Total    int
	Cached   int     // samples whose features were cached already
	Loss     float64 // of the epoch so far
	Accuracy float64
	Record   Epoch // of phase "epoch"
}

// Progress is told of events, in order, by one goroutine at a time. It may be nil.
type Progress func(Event)

func (p Progress) report(e Event) {
	if p != nil {
		p(e)
	}
}

// Fit trains the plan's stages one after the other and returns the history.
//
// It owns when. Each epoch: every batch of Order, then validation, one line of
// history, and the best checkpoint where Watch says so. A stage after the
// first begins from the best weights so far. When ctx ends, the step in hand
// is finished and the last checkpoint written; the error is then ctx's.
// An error of kind Diverged leaves the best checkpoint as it was.
func Fit(ctx context.Context, plan Plan, model Opener, inputs Inputs, measure Measure, recorder Recorder, progress Progress) ([]Epoch, error) {
	f := &fit{plan: plan, inputs: inputs, measure: measure, recorder: recorder, progress: progress, saved: time.Now()}
	for _, s := range plan.Stages {
		f.epochs += s.Epochs
	}
	for i := range plan.Stages {
		if err := f.stage(ctx, model, i); err != nil {
			return f.history, err
		}
	}
	return f.history, nil
}

// fit is the state of one call of Fit.
type fit struct {
	plan     Plan
	inputs   Inputs
	measure  Measure
	recorder Recorder
	progress Progress
	epochs   int // of all stages
	ended    int // epochs that the plan had for the stages before this one
	step     int
	history  []Epoch
	saved    time.Time // of the last checkpoint
}

func (f *fit) stage(ctx context.Context, model Opener, i int) (err error) {
	plan := f.plan.Stages[i]
	stage, err := model.Open(ctx, plan.Stage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if i == 0 {
		err = stage.Init(ctx, f.plan.Classes, f.plan.Units, f.plan.Seed)
	} else {
		err = stage.Restore(ctx, f.recorder.Checkpoint(Best))
	}
	if err != nil {
		return err
	}
	if err := stage.Begin(ctx); err != nil {
		return err
	}
	train, validation, err := f.inputs(ctx, plan.Stage, stage)
	if err != nil {
		return err
	}
	first := f.step
	for epoch := f.ended + 1; epoch <= f.ended+plan.Epochs; epoch++ {
		verdict, err := f.epoch(ctx, plan, stage, train, validation, epoch, first)
		if err != nil {
			return f.leave(ctx, stage, err)
		}
		if verdict.Stop {
			break
		}
		if time.Since(f.saved) >= lastEvery {
			if err := f.saveLast(stage); err != nil {
				return err
			}
		}
	}
	f.ended += plan.Epochs
	return f.saveLast(stage)
}

// epoch trains, validates and records one epoch.
func (f *fit) epoch(ctx context.Context, plan StagePlan, stage Stage, train, validation Source, epoch, first int) (Verdict, error) {
	record := Epoch{Stage: plan.Stage, Epoch: epoch}
	event := Event{Phase: "train", Stage: plan.Stage, Epoch: epoch, Epochs: f.epochs, Total: train.Len()}
	var loss float64
	var correct int
	hyper := plan.Hyper
	for batch, err := range batches(ctx, train, epoch, Order(f.plan.Seed, epoch, train.Len()), f.plan.BatchSize) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Verdict{}, err
		}
		batch.target(f.plan.Classes)
		hyper.LearningRate = plan.Schedule(f.step - first)
		// A step that has begun is finished, so that its effect is whole.
		result, err := stage.Step(context.WithoutCancel(ctx), batch, hyper)
		if err != nil {
			return Verdict{}, fmt.Errorf("stage %s, epoch %d: %w", plan.Stage, epoch, err)
		}
		if !result.Finite {
			return Verdict{}, WithHint(
				Errorf(Diverged, "stage %s, epoch %d, step %d: training diverged: a gradient is not finite (loss %g)", plan.Stage, epoch, f.step+1, result.Loss),
				"a smaller --lr usually helps; the best checkpoint was kept")
		}
		f.step++
		n := len(batch.Samples)
		loss += result.Loss * float64(n)
		correct += hits(batch.Samples, result.Logits)
		event.Done += n
		event.Loss, event.Accuracy = loss/float64(event.Done), float64(correct)/float64(event.Done)
		f.progress.report(event)
	}
	record.Step, record.LearningRate = f.step, hyper.LearningRate
	record.Train = []Metric{{"loss", event.Loss}, {"accuracy", event.Accuracy}}
	if err := ctx.Err(); err != nil {
		return Verdict{}, err
	}
	event = Event{Phase: "validate", Stage: plan.Stage, Epoch: epoch, Epochs: f.epochs}
	predictions, err := evaluate(ctx, validation, top{stage}, f.plan.BatchSize, f.progress, event)
	if err != nil {
		return Verdict{}, err
	}
	record.Validation = f.measure(predictions)
	return f.conclude(stage, record)
}

// conclude asks Watch, keeps the best weights, and then records: a line of the
// history never speaks of a checkpoint that is not there.
func (f *fit) conclude(stage Stage, record Epoch) (Verdict, error) {
	verdict := f.plan.Watch(append(f.history, record))
	record.Best = verdict.Best
	if verdict.Best {
		if err := f.save(Best, stage); err != nil {
			return Verdict{}, err
		}
	}
	if err := f.recorder.Epoch(record); err != nil {
		return Verdict{}, err
	}
	f.history = append(f.history, record)
	f.progress.report(Event{Phase: "epoch", Stage: record.Stage, Epoch: record.Epoch, Epochs: f.epochs, Record: record})
	return verdict, nil
}

// leave writes the last checkpoint where the run was interrupted.
func (f *fit) leave(ctx context.Context, stage Stage, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return errors.Join(ctx.Err(), f.saveLast(stage))
}

func (f *fit) saveLast(stage Stage) error {
	f.saved = time.Now()
	return f.save(Last, stage)
}

// save is not for cancelling: a checkpoint is written whole.
func (f *fit) save(name string, stage Stage) error {
	return f.recorder.Save(name, func(prefix string) error {
		return stage.Save(context.Background(), prefix)
	})
}

// target fills in what a step trains towards: the sample's class, and its weight.
func (b *Batch) target(classes int) {
	b.Targets = make([]float32, len(b.Samples)*classes)
	b.Weights = make([]float32, len(b.Samples))
	for i, s := range b.Samples {
		b.Targets[i*classes+s.Label] = 1
		b.Weights[i] = s.Weight
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
