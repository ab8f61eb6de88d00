package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Plan is everything that decides what a run computes, apart from its data and
// its model. The clock is not part of it.
type Plan struct {
	Classes int
	Units   []int // widths of the head's hidden layers
	Seed    uint64
	// FeatureScale divides the inputs of a new head. 0 stands for their standard
	// deviation over the training part, 1 leaves them as they are.
	FeatureScale float64
	OutputScale  float64 // of a new head; see Head
	BatchSize    int
	Stages       []StagePlan
	Watch        Watch
	// Deeper decides after each stage whether to train the next one; nil trains
	// them all. Like Watch, it must be a pure function.
	Deeper func(history []Epoch) bool
	// ClassWeights multiply the training weights of each class's samples, indexed
	// by label; nil changes nothing. They do not affect validation.
	ClassWeights []float64
	// LabelSmoothing s, from 0 to below 1, trains towards 1-s+s/C for a sample's
	// class and s/C for each other class, as Keras' losses do. With two classes
	// that also equals its binary cross-entropy. The validation loss is not
	// smoothed.
	LabelSmoothing float64
	// InitFrom is the path prefix of the checkpoint that the run starts from,
	// empty for the model's own weights. FreshHead discards the head of that
	// checkpoint.
	InitFrom  string
	FreshHead bool
}

// StagePlan says how to train one stage.
type StagePlan struct {
	Stage  string // one of the model's stages
	Epochs int    // at most
	// StepsPerEpoch ends each epoch after so many steps, as in Keras; 0 takes every
	// batch.
	StepsPerEpoch int
	Schedule      Schedule
	Scale         Scale           // nil for none
	Hyper         Hyperparameters // LearningRate is set to Schedule times Scale
}

// Schedule returns the learning rate of a step, counted from 0 within the stage.
type Schedule func(step int) float64

// Scale returns the factor of the learning rate for the next epoch of a stage,
// given the stage's epochs so far. Like Watch, it must be a pure function.
type Scale func(stage []Epoch) float64

// Watch looks at the history so far, newest epoch last, and says whether that
// epoch is the best and whether to end the stage. Epochs before it have their Best.
// It must be a pure function, because a resumed run calls it again.
type Watch func(history []Epoch) Verdict

// Verdict is the result of Watch.
type Verdict struct{ Best, Stop bool }

// Opener opens an exported network for training, one stage at a time: each stage
// is a separate graph.
type Opener interface {
	Open(ctx context.Context, stage string) (Stage, error)
}

// Inputs returns the training and the validation part as features of an open
// stage.
type Inputs func(ctx context.Context, name string, stage Stage) (train, validation Source, err error)

// Recorder stores the history and the checkpoints of a run.
type Recorder interface {
	Epoch(Epoch) error
	// Save calls save with a path prefix, then replaces the named checkpoint with
	// what save wrote there and the state.
	Save(name string, state State, save func(prefix string) error) error
	// Checkpoint returns the path prefix of a saved checkpoint.
	Checkpoint(name string) string
}

// The checkpoints of a run.
const (
	Best = "best" // the weights of the best epoch, as Watch decided
	Last = "last" // the newest weights, from which to resume
)

// State is the position of a run. Together with the history and the last
// checkpoint it is all that Fit needs to continue as if never interrupted.
//
// A run is finished once Stage is the number of its stages: whatever ends a run
// early sets that and saves Last, or it counts as interrupted.
type State struct {
	Stage   int  `json:"stage"`    // current stage, an index into the plan's
	Begun   bool `json:"begun"`    // whether the checkpoint has this stage's weights
	InStage int  `json:"in_stage"` // finished epochs of this stage
	Began   int  `json:"began"`    // step at which this stage began
	// Start has the Terms of the weights that this stage started from, for each
	// validation sample. It is empty in the first stage.
	Start  []float64 `json:"start,omitempty"`
	Step   int       `json:"step"`   // steps of the whole run
	Epochs int       `json:"epochs"` // finished epochs of the whole run: lines of the history
	// FeatureScale is what the run's new head divides its inputs by; 0 if the run
	// kept the head of an earlier one.
	FeatureScale float64 `json:"feature_scale,omitempty"`
	// The current epoch.
	Batch   int     `json:"batch"`   // finished batches
	Seen    int     `json:"seen"`    // samples in those batches
	Loss    float64 `json:"loss"`    // sum over those samples
	Correct int     `json:"correct"` // correctly classified samples among them
}

// Job is the input of Fit.
type Job struct {
	Plan     Plan
	Model    Opener
	Inputs   Inputs
	Measure  Measure
	Terms    Terms // of the monitored metric; nil if that is no mean over the validation samples
	Recorder Recorder
	Progress Progress
	// Peers train this run together with this process; nil for it alone. Then the
	// batches of Inputs are shares.
	Peers Peers
	// SaveEvery is the time between two last checkpoints; 0 writes one after each
	// step. Writing one can take longer than an epoch on cached features. A killed
	// run repeats what came after its last checkpoint. No result depends on it.
	SaveEvery time.Duration
	// State and History say where to continue; their zero values begin a new run.
	State   State
	History []Epoch
}

// Fit trains the plan's stages one after the other and returns the history.
//
// It decides when things happen. An epoch is every batch of Order, then
// validation, the best checkpoint if Watch says so, and one line of history.
// Every stage but the first starts from the best weights so far. It validates
// them, and each of its epochs records its gain over them. When ctx ends, Fit
// finishes the current step and writes the last checkpoint. It then returns ctx's
// error, or the error of that checkpoint. An error of kind Diverged leaves the
// best checkpoint as it was.
func Fit(ctx context.Context, job Job) ([]Epoch, error) {
	f := &fit{Job: job, saved: time.Now()}
	for f.State.Stage < len(f.Plan.Stages) {
		if err := f.stage(ctx); err != nil {
			return f.History, err
		}
	}
	return f.History, nil
}

// fit is a Job in progress.
type fit struct {
	Job
	stagePlan StagePlan
	open      Stage
	saved     time.Time // when the last checkpoint was written
	left      bool      // because the run was interrupted
}

// stage trains one stage, or the rest of it.
func (f *fit) stage(ctx context.Context) (err error) {
	f.stagePlan = f.Plan.Stages[f.State.Stage]
	if f.open, err = f.Model.Open(ctx, f.stagePlan.Stage); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.open.Close()) }()
	if err := f.load(ctx); err != nil {
		return err
	}
	train, validation, err := f.Inputs(ctx, f.stagePlan.Stage, f.open)
	if err == nil {
		err = f.begin(ctx, train)
	}
	if err == nil {
		err = f.start(ctx, validation)
	}
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
	f.State = State{Stage: f.State.Stage + 1, Step: f.State.Step, Epochs: f.State.Epochs, FeatureScale: f.State.FeatureScale}
	if f.Plan.Deeper != nil && !f.Plan.Deeper(f.History) {
		f.State.Stage = len(f.Plan.Stages)
	}
	return f.saveLast()
}

// load reads the weights from which the open stage starts or continues.
func (f *fit) load(ctx context.Context) error {
	switch _, ok := BestOf(f.History); {
	case f.State.Begun:
		return f.open.Restore(ctx, f.Recorder.Checkpoint(Last))
	case f.State.Stage == 0 && f.Plan.InitFrom == "":
		return nil
	case f.State.Stage == 0:
		return f.open.Restore(ctx, f.Plan.InitFrom)
	case !ok:
		return Errorf(Diverged, "stage %s: no earlier epoch is usable", f.stagePlan.Stage)
	}
	if err := f.open.Restore(ctx, f.Recorder.Checkpoint(Best)); err != nil {
		return err
	}
	if err := f.open.Begin(ctx); err != nil {
		return err
	}
	f.State.Begun, f.State.Began = true, f.State.Step
	return nil
}

// begin gives the first stage its head, which may depend on the features.
func (f *fit) begin(ctx context.Context, train Source) (err error) {
	if f.State.Begun {
		return nil
	}
	if f.State.FeatureScale, err = f.Plan.initialize(ctx, f.open, train, f.Peers); err == nil {
		err = f.open.Begin(ctx)
	}
	f.State.Begun = err == nil
	return err
}

// initialize gives a new run's first stage its head, unless it keeps an earlier
// one. It returns the feature scale of a new head.
func (p Plan) initialize(ctx context.Context, stage Stage, train Source, peers Peers) (scale float64, err error) {
	if p.InitFrom != "" && !p.FreshHead {
		return 0, nil
	}
	if scale, err = p.scale(ctx, stage, train, peers); err != nil {
		return 0, err
	}
	return scale, stage.Init(ctx, Head{Classes: p.Classes, Units: p.Units, Seed: p.Seed, FeatureScale: scale, OutputScale: p.OutputScale})
}

// epoch trains the rest of an epoch, validates and records it.
func (f *fit) epoch(ctx context.Context, train, validation Source) (Verdict, error) {
	s, number := &f.State, f.State.Epochs+1
	event := Event{Stage: f.stagePlan.Stage, Epoch: s.InStage + 1, Epochs: f.stagePlan.Epochs}
	order := Order(f.Plan.Seed, number, train.Len())
	if steps := f.stagePlan.StepsPerEpoch; steps > 0 {
		order = order[:min(steps*f.Plan.BatchSize, len(order))]
	}
	rest := order[min(s.Batch*f.Plan.BatchSize, len(order)):]
	waiting := time.Now()
	for batch, err := range batches(ctx, train, number, rest, f.Plan.BatchSize) {
		event.Waited += time.Since(waiting)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f.step(ctx, batch)
		}
		if err != nil {
			return Verdict{}, f.leave(ctx, err) // saves at once: when the loop has ended, the next batch has too
		}
		event.Phase, event.Done, event.Total = "train", s.Seen, len(order)
		event.Loss, event.Accuracy = s.Loss/float64(s.Seen), float64(s.Correct)/float64(s.Seen)
		f.Progress.report(event)
		waiting = time.Now()
	}
	if err := ctx.Err(); err != nil {
		return Verdict{}, err
	}
	event.Phase = "validate"
	predictions, err := f.predict(ctx, validation, event)
	if err != nil {
		return Verdict{}, err
	}
	verdict, err := f.conclude(Epoch{
		Stage: f.stagePlan.Stage, Epoch: number, Step: s.Step, LearningRate: f.rate(s.Step - 1),
		Train:      []Metric{{"loss", s.Loss / float64(s.Seen)}, {"accuracy", float64(s.Correct) / float64(s.Seen)}},
		Validation: append(f.Measure(predictions), f.gain(predictions)...),
	})
	if err != nil {
		return Verdict{}, err
	}
	event.Phase, event.Record = "epoch", f.History[len(f.History)-1]
	f.Progress.report(event)
	return verdict, nil
}

// rate returns the learning rate of a step in the current epoch.
func (f *fit) rate(step int) float64 {
	rate := f.stagePlan.Schedule(step - f.State.Began)
	if f.stagePlan.Scale != nil {
		rate *= f.stagePlan.Scale(f.History[len(f.History)-f.State.InStage:])
	}
	return rate
}

// step takes one training step. Cancelling does not interrupt it, so its effect
// is complete and counted.
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
	s.Seen += batch.Whole()
	s.Loss += result.Loss * float64(batch.Whole())
	if batch.Share == nil {
		result.Correct = hits(batch.Targets, result.Logits, f.Plan.Classes)
	}
	s.Correct += result.Correct
	if time.Since(f.saved) >= f.SaveEvery {
		return f.saveLast()
	}
	return nil
}

// diverged returns the error for a step whose gradients or loss are not finite.
func (f *fit) diverged(loss float64) error {
	err := Errorf(Diverged, "stage %s, epoch %d, step %d: training diverged: a gradient is not finite (loss %g)",
		f.stagePlan.Stage, f.State.Epochs+1, f.State.Step+1, loss)
	if _, ok := BestOf(f.History); ok {
		return WithHint(err, "a smaller %s usually helps; the best epoch was kept: a new run can start from it with %s", Option("lr"), Option("init-from"))
	}
	return WithHint(err, "a smaller %s usually helps", Option("lr"))
}

// conclude calls Watch, saves the best weights, and only then records the epoch,
// so that the history never mentions a checkpoint that does not exist.
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

// leave writes the last checkpoint if the run was interrupted after it began.
func (f *fit) leave(ctx context.Context, err error) error {
	if ctx.Err() == nil || !f.State.Begun || f.left {
		return err
	}
	f.left = true
	if err := f.saveLast(); err != nil {
		return err
	}
	return ctx.Err()
}

func (f *fit) saveLast() error {
	f.saved = time.Now()
	return f.save(Last, f.State)
}

// save writes a checkpoint. It cannot be cancelled, so checkpoints are complete.
func (f *fit) save(name string, state State) error {
	return f.Recorder.Save(name, state, func(prefix string) error {
		return f.open.Save(context.Background(), prefix)
	})
}
