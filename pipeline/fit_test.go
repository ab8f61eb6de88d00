package pipeline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFitTrainsEveryBatchOfTheOrder(t *testing.T) {
	job, n, _ := job(1, 2, 3)
	if _, err := Fit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	var want [][]int
	for epoch := 1; epoch <= 3; epoch++ {
		want = slices.AppendSeq(want, slices.Chunk(Order(11, epoch, 5), 2))
	}
	if len(n.steps) != len(want) {
		t.Fatalf("%d steps, want %d", len(n.steps), len(want))
	}
	for i, step := range n.steps {
		if !slices.Equal(step.index, want[i]) {
			t.Errorf("step %d was on %v, want %v", i, step.index, want[i])
		}
		if rate := 1 / float64(i+1); step.hyper.LearningRate != rate {
			t.Errorf("step %d had rate %g, want the schedule's %g", i, step.hyper.LearningRate, rate)
		}
		var targets, weights []float32
		for _, sample := range step.index {
			targets = append(targets, float32(1-sample%2), float32(sample%2))
			weights = append(weights, 1)
		}
		if !slices.Equal(step.batch.Targets, targets) || !slices.Equal(step.batch.Weights, weights) {
			t.Errorf("step %d had targets %v and weights %v", i, step.batch.Targets, step.batch.Weights)
		}
	}
	calls := []string{"open head", "init 2 [7] 11 1", "begin"}
	for epoch := 1; epoch <= 3; epoch++ {
		calls = append(calls, "step", "step", "step", "logits", "logits", "save", fmt.Sprintf("epoch %d", epoch))
	}
	calls = append(calls, "save")
	if !slices.Equal(n.calls, calls) {
		t.Errorf("calls\n%v, want\n%v", n.calls, calls)
	}
	if n.opens != 0 {
		t.Error("the stage was not closed")
	}
}

// An epoch cut short takes the first batches of its order.
func TestFitCutsEpochsShort(t *testing.T) {
	job, n, _ := job(1, 2, 3)
	job.Plan.Stages[0].StepsPerEpoch = 2
	history, err := Fit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	var taken, want [][]int
	for _, step := range n.steps {
		taken = append(taken, step.index)
	}
	for epoch := 1; epoch <= 3; epoch++ {
		order := Order(11, epoch, 5)
		want = append(want, order[:2], order[2:4])
	}
	if !slices.EqualFunc(taken, want, slices.Equal) || history[2].Step != 6 {
		t.Errorf("steps on %v, want %v; the history has %d", taken, want, history[2].Step)
	}
}

func TestFitRecordsTheHistory(t *testing.T) {
	job, n, r := job(2)
	history, err := Fit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(history, r.history) {
		t.Errorf("returned %v, recorded %v", history, r.history)
	}
	for i, e := range history {
		// The fake's loss is the first sample of a batch. It predicts class 1 for
		// sample 0 and class 0 for all others.
		var loss float64
		right := 0
		for _, step := range n.steps[3*i : 3*i+3] {
			loss += float64(step.index[0] * len(step.index))
			for _, sample := range step.index {
				predicted := 0
				if sample == 0 {
					predicted = 1
				}
				if predicted == sample%2 {
					right++
				}
			}
		}
		want := Epoch{
			Stage: "head", Epoch: i + 1, Step: 3 * (i + 1), LearningRate: 1 / float64(3*(i+1)), Best: i == 1,
			Train:      []Metric{{"loss", loss / 5}, {"accuracy", float64(right) / 5}},
			Validation: []Metric{{"samples", 4}, e.Validation[1]},
		}
		if !reflect.DeepEqual(e, want) {
			t.Errorf("epoch %d is\n%+v, want\n%+v", i+1, e, want)
		}
	}
}

func TestFitKeepsTheBestAndTheLast(t *testing.T) {
	job, n, r := job(1, 2)
	history, err := Fit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	best, last := n.files[r.Checkpoint(Best)].weight, n.files[r.Checkpoint(Last)].weight
	// Validation reports the weight after each epoch.
	if want := history[1].Validation[1].Value; float32(best) != float32(want) {
		t.Errorf("the best checkpoint has %g, epoch 2 had %g", best, want)
	}
	if want := history[2].Validation[1].Value; float32(last) != float32(want) || last == best {
		t.Errorf("the last checkpoint has %g, epoch 3 had %g", last, want)
	}
	if want := []string{Best, Best, Last}; !slices.Equal(r.saves, want) {
		t.Errorf("saved %v, want %v", r.saves, want)
	}
}

func TestFitKeepsTheBestBeforeItSaysSo(t *testing.T) {
	job, n, r := job(1)
	full := errors.New("the disk is full")
	n.fail = func(call string) error {
		if call == "save" {
			return full
		}
		return nil
	}
	if _, err := Fit(t.Context(), job); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if len(r.history) != 0 {
		t.Error("the history speaks of an epoch whose checkpoint is not there")
	}
}

func TestFitStopsAStageAndNotTheRun(t *testing.T) {
	job, n, _ := job(1)
	job.Plan.Watch = func(history []Epoch) Verdict { return Verdict{Best: len(history) == 1, Stop: len(history) == 2} }
	second := job.Plan.Stages[0]
	second.Stage, second.Epochs = "block2", 1
	job.Plan.Stages = append(job.Plan.Stages, second)
	history, err := Fit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	var stages []string
	for _, e := range history {
		stages = append(stages, fmt.Sprint(e.Stage, " ", e.Epoch, " ", e.Step))
	}
	if want := []string{"head 1 3", "head 2 6", "block2 3 9"}; !slices.Equal(stages, want) {
		t.Errorf("epochs %q, want %q", stages, want)
	}
	want := []string{"open head", "init 2 [7] 11 1", "begin", "open block2", "restore checkpoints/best", "begin"}
	if got := without(n.calls, "step", "logits", "epoch", "save"); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if rate := n.steps[6].hyper.LearningRate; rate != 1 {
		t.Errorf("the second stage began with rate %g: its schedule counts from 0", rate)
	}
	// It starts from the best weights, and its order continues with epoch 3.
	if !slices.Equal(n.steps[6].index, Order(11, 3, 5)[:2]) {
		t.Errorf("its first step was on %v", n.steps[6].index)
	}
}

func TestFitScalesTheRateByTheStagesEpochs(t *testing.T) {
	job, n, _ := job(1, 2, 3, 4)
	job.Plan.Stages[0].Schedule = func(int) float64 { return 1 }
	job.Plan.Stages[0].Scale = func(stage []Epoch) float64 { return 1 / float64(len(stage)+1) }
	job.Plan.Stages = append(job.Plan.Stages, job.Plan.Stages[0])
	history, err := Fit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range n.steps {
		if want := 1 / float64(i/3%3+1); step.hyper.LearningRate != want {
			t.Errorf("step %d had rate %g, want %g", i, step.hyper.LearningRate, want)
		}
	}
	if got := history[5].LearningRate; got != 1.0/3 {
		t.Errorf("the last epoch says rate %g", got)
	}
}

func TestFitStopsWhereTrainingDiverges(t *testing.T) {
	job, n, r := job(1)
	n.infinite = 5
	history, err := Fit(t.Context(), job)
	if KindOf(err) != Diverged || !strings.Contains(err.Error(), "stage head, epoch 2, step 5: training diverged") {
		t.Fatalf("got %v", err)
	}
	if hint := HintOf(err).String(); !strings.Contains(hint, "a smaller lr") || !strings.Contains(hint, "init-from") {
		t.Errorf("hint %q", hint)
	}
	if len(history) != 1 || len(r.history) != 1 || len(n.steps) != 4 {
		t.Errorf("%d epochs, %d recorded, %d steps", len(history), len(r.history), len(n.steps))
	}
	if want := []string{Best}; !slices.Equal(r.saves, want) {
		t.Errorf("saved %v, want %v", r.saves, want)
	}
	if n.opens != 0 {
		t.Error("the stage was not closed")
	}
}

func TestNoStageBeginsWithoutABestEpoch(t *testing.T) {
	job, n, _ := twoStages()
	job.Plan.Watch = func([]Epoch) Verdict { return Verdict{} }
	_, err := Fit(t.Context(), job)
	if KindOf(err) != Diverged || n.opens != 0 {
		t.Errorf("got %v, %d stages open", err, n.opens)
	}
}

func TestHintOfDivergenceMentionsOnlyACheckpointThatExists(t *testing.T) {
	job, n, _ := job()
	n.infinite = 1
	if _, err := Fit(t.Context(), job); HintOf(err).String() != "a smaller lr usually helps" {
		t.Errorf("hint %q", HintOf(err))
	}
}

// twoStages is a run of six epochs in two stages.
func twoStages() (Job, *network, *recorder) {
	job, n, r := job(1, 2, 5)
	second := job.Plan.Stages[0]
	second.Stage = "block2"
	job.Plan.Stages = append(job.Plan.Stages, second)
	job.Terms = weighted
	return job, n, r
}

// weighted is a Terms that differs for each sample and after each step.
func weighted(predictions []Prediction) []float64 {
	var terms []float64
	for _, p := range predictions {
		terms = append(terms, float64(p.Logits[1])*float64(p.Logits[0]))
	}
	return terms
}

// A run that was interrupted at any call and resumed ends with the same history,
// weights and steps as an uninterrupted one.
func TestInterruptedRunGoesOn(t *testing.T) {
	whole, n, r := twoStages()
	want, err := Fit(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	calls := len(n.calls)
	for at := 2; at < calls; at++ { // before Init there is nothing to resume
		job, again, kept := twoStages()
		ctx, cancel := context.WithCancel(t.Context())
		again.fail = func(string) error {
			if len(again.calls) == at {
				cancel()
			}
			return nil
		}
		_, err := Fit(ctx, job)
		if err == nil {
			continue // cancelled when only saving was left
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted at call %d, %s: %v", at, again.calls[at-1], err)
		}
		again.fail = nil
		job.State, job.History = kept.states[Last], kept.history
		history, err := Fit(t.Context(), job)
		if err != nil {
			t.Fatalf("interrupted at call %d, %s, then: %v", at, again.calls[at-1], err)
		}
		if !reflect.DeepEqual(history, want) || !reflect.DeepEqual(kept.history, want) {
			t.Errorf("interrupted at call %d, %s: history\n%v, want\n%v", at, again.calls[at-1], history, want)
		}
		for _, name := range []string{Best, Last} {
			if got, want := again.files[kept.Checkpoint(name)], n.files[r.Checkpoint(name)]; got != want {
				t.Errorf("interrupted at call %d, %s: %s has %v, want %v", at, again.calls[at-1], name, got, want)
			}
		}
		if !reflect.DeepEqual(again.steps, n.steps) {
			t.Errorf("interrupted at call %d, %s: other steps", at, again.calls[at-1])
		}
	}
}

// The same holds for a killed run, which resumes from an earlier checkpoint. Each
// step takes a second. With eight seconds between checkpoints there is one in the
// first stage, and none in the second before its best epoch.
func TestKilledRunGoesOn(t *testing.T) {
	whole, n, r := twoStages()
	want, err := Fit(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	killed := errors.New("killed")
	for _, every := range []time.Duration{0, 8 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			for at := 1; ; at++ {
				job, again, kept := twoStages()
				job.SaveEvery = every
				again.fail = func(call string) error {
					if call == "step" {
						time.Sleep(time.Second)
					}
					if len(again.calls) == at {
						return killed
					}
					return nil
				}
				if _, err := Fit(t.Context(), job); err == nil {
					break // there are fewer calls
				}
				again.fail = nil
				job.State = kept.states[Last]
				kept.history = kept.history[:job.State.Epochs]
				job.History = slices.Clone(kept.history)
				history, err := Fit(t.Context(), job)
				if err != nil {
					t.Fatalf("killed at call %d, %s, then: %v", at, again.calls[at-1], err)
				}
				if !reflect.DeepEqual(history, want) || !reflect.DeepEqual(kept.history, want) {
					t.Errorf("killed at call %d, %s: history\n%v, want\n%v", at, again.calls[at-1], history, want)
				}
				for _, name := range []string{Best, Last} {
					if got, want := again.files[kept.Checkpoint(name)], n.files[r.Checkpoint(name)]; got != want {
						t.Errorf("killed at call %d, %s: %s has %v, want %v", at, again.calls[at-1], name, got, want)
					}
				}
			}
		})
	}
}

// A finished stage is not trained again, even if the run stops right after it.
func TestAStageEndsWithACheckpoint(t *testing.T) {
	job, n, r := twoStages()
	stopped := errors.New("stopped")
	n.fail = func(call string) error {
		if call == "open block2" {
			return stopped
		}
		return nil
	}
	if _, err := Fit(t.Context(), job); !errors.Is(err, stopped) {
		t.Fatalf("got %v", err)
	}
	if got := r.states[Last]; got.Stage != 1 || got.Begun || got.Epochs != 3 {
		t.Errorf("it would go on from %+v", got)
	}
}

func TestInterruptedWhileInputsAreMade(t *testing.T) {
	job, n, r := job()
	ctx, cancel := context.WithCancel(t.Context())
	job.Inputs = func(ctx context.Context, _ string, _ Stage) (_, _ Source, err error) {
		cancel()
		return nil, nil, fmt.Errorf("frozen pass: %w", ctx.Err())
	}
	if _, err := Fit(ctx, job); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(r.saves) != 0 || n.opens != 0 {
		t.Errorf("saved %v, %d stages open", r.saves, n.opens)
	}
}

// An interrupted run saves a checkpoint before the next batch is there, which may
// take longer than the system waits before it kills.
func TestInterruptedWhileABatchIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, n, r := job(1)
		ctx, cancel := context.WithCancel(t.Context())
		began, saved := false, make(chan struct{})
		n.fail = func(call string) error {
			if began && strings.HasPrefix(call, "save") {
				close(saved)
			}
			return nil
		}
		slow := numbers{n: 5, before: func(_ context.Context, epoch int, index []int) error {
			if epoch == 2 && !began {
				began = true
				cancel()
				<-saved
			}
			return nil
		}}
		j.Inputs = func(context.Context, string, Stage) (train, validation Source, err error) {
			return slow, numbers{n: 4}, nil
		}
		if _, err := Fit(ctx, j); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if r.states[Last].Epochs != 1 {
			t.Errorf("saved %+v", r.states[Last])
		}
	})
}

func TestErrorsReachTheCaller(t *testing.T) {
	broken := errors.New("broken")
	for _, call := range []string{"open", "init", "begin", "step", "logits", "save", "epoch"} {
		job, n, r := job(2)
		n.fail = func(c string) error {
			if strings.HasPrefix(c, call) {
				return broken
			}
			return nil
		}
		if _, err := Fit(t.Context(), job); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", call, err)
		}
		if n.opens != 0 {
			t.Errorf("%s: the stage was not closed", call)
		}
		if slices.Contains(r.saves, Last) {
			t.Errorf("%s: a last checkpoint of a run that failed", call)
		}
	}
	for part, inputs := range map[string]Inputs{
		"inputs": func(context.Context, string, Stage) (_, _ Source, err error) { return nil, nil, broken },
		"train": func(context.Context, string, Stage) (_, _ Source, err error) {
			return failing(broken), numbers{n: 4}, nil
		},
		"validation": func(context.Context, string, Stage) (_, _ Source, err error) {
			return numbers{n: 4}, failing(broken), nil
		},
	} {
		job, n, _ := job(1)
		job.Inputs = inputs
		if _, err := Fit(t.Context(), job); !errors.Is(err, broken) || n.opens != 0 {
			t.Errorf("%s: got %v, %d stages open", part, err, n.opens)
		}
	}
}

// failing returns a source whose second batch cannot be read.
func failing(err error) numbers {
	return numbers{n: 4, before: func(_ context.Context, epoch int, index []int) error {
		if slices.Contains(index, Order(11, epoch, 4)[3]) {
			return err
		}
		return nil
	}}
}

func TestLastIsSavedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job, n, r := job()
		job.SaveEvery = 30 * time.Second
		n.fail = func(call string) error {
			if call == "step" {
				time.Sleep(15 * time.Second)
			}
			return nil
		}
		if _, err := Fit(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		// Nine steps, with a save after every second one and at the end.
		if want := slices.Repeat([]string{Last}, 5); !slices.Equal(r.saves, want) {
			t.Errorf("saved %v, want %v", r.saves, want)
		}
	})
}

func TestProgressIsReported(t *testing.T) {
	job, _, _ := job(1)
	var events []string
	job.Progress = func(e Event) {
		line := fmt.Sprintf("%s %d/%d %d/%d", e.Phase, e.Epoch, e.Epochs, e.Done, e.Total)
		if e.Phase == "epoch" {
			line = fmt.Sprintf("epoch %d/%d, %d of the run", e.Epoch, e.Epochs, e.Record.Epoch)
		}
		events = append(events, line)
	}
	if _, err := Fit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	var want []string
	for epoch := 1; epoch <= 3; epoch++ {
		for _, done := range []int{2, 4, 5} {
			want = append(want, fmt.Sprintf("train %d/3 %d/5", epoch, done))
		}
		for _, done := range []int{2, 4} {
			want = append(want, fmt.Sprintf("validate %d/3 %d/4", epoch, done))
		}
		want = append(want, fmt.Sprintf("epoch %d/3, %d of the run", epoch, epoch))
	}
	if !slices.Equal(events, want) {
		t.Errorf("events\n%q, want\n%q", events, want)
	}
}
