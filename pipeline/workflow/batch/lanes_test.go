package batch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/features"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
	"tftl/pipeline/workflow/batch"
)

// newSweep is a setting with a batch of six runs that differ in width and seed.
func newSweep(t *testing.T, jobs int) *setting {
	s := newSetting(t)
	s.batch.Jobs, s.batch.Runs = jobs, nil
	for i := range 6 {
		run := s.run(fmt.Sprintf("run-%d", i), 8<<(i/2))
		run.Train.Config.Seed = uint64(i % 2)
		s.batch.Runs = append(s.batch.Runs, run)
	}
	return s
}

// results are the files of a batch's runs that do not depend on the clock.
func (s *setting) results() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, run := range s.batch.Runs {
		for _, name := range []string{"history.jsonl", "evaluation.json", "predictions.csv", "model/saved_model.pb"} {
			data, err := os.ReadFile(filepath.Join(run.Train.Output, name))
			if err != nil {
				s.t.Fatal(err)
			}
			all[run.Name+"/"+name] = string(data)
		}
	}
	return all
}

func (s *setting) wantResults(want map[string]string) {
	s.t.Helper()
	for name, got := range s.results() {
		if got != want[name] {
			s.t.Errorf("%s is\n%s\nwant\n%s", name, got, want[name])
		}
	}
}

// Runs at the same time share the frozen pass, and their results are those of runs
// one after the other, also if they were interrupted.
func TestResultsDoNotDependOnJobs(t *testing.T) {
	one := newSweep(t, 1)
	if _, err := one.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := one.results()
	for _, jobs := range []int{2, 6} {
		s := newSweep(t, jobs)
		if _, err := s.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.Opens > jobs || s.Frozen["head"] != 3*features.BatchSize { // one batch per part
			t.Errorf("%d jobs: %d graphs of the head, frozen passes of %v", jobs, s.Opens, s.Frozen)
		}
		s.wantResults(want)
	}

	s := newSweep(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	s.OnStep = func(step int) error {
		if step == 17 {
			cancel()
		}
		return nil
	}
	b, err := s.do(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("ends with %v, not as interrupted", err)
	}
	if last := b.Jobs[5]; last.State != batch.ToBegin || last.Err != nil {
		t.Errorf("the last run was begun: %s, %v", last.State, last.Err)
	}
	s.OnStep = nil
	if _, err := s.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantResults(want)
}

// A failure ends the batch once the runs beside it are done; which these are does
// not matter to the verdict.
func TestFailureBesideAnotherRun(t *testing.T) {
	for _, keepGoing := range []bool{false, true} {
		s := newSweep(t, 2)
		s.batch.KeepGoing = keepGoing
		var opened atomic.Int32
		s.OnOpen = func(string) error {
			if opened.Add(1) == 1 {
				return pipeline.Errorf(pipeline.BadModel, "broken")
			}
			return nil
		}
		b, err := s.do(t.Context())
		if pipeline.KindOf(err) != pipeline.BadModel {
			t.Errorf("keep going %v: %v", keepGoing, err)
		}
		states := map[batch.State]int{}
		for _, j := range b.Jobs {
			states[j.State]++
		}
		if keepGoing && states[batch.Done] != 5 {
			t.Errorf("keeps going: %v", states)
		}
		for _, j := range b.Jobs {
			if j.Err == nil && j.State != batch.Done && j.State != batch.ToBegin {
				t.Errorf("%s: %s", j.Name, j.State)
			}
		}
	}
}

// Notes of runs at the same time say which run they are about. A run that uses the
// whole machine is alone unless the request says how many to do.
func TestNotesNameTheRun(t *testing.T) {
	for _, c := range []struct {
		jobs  int
		stage string
		named bool
	}{{1, "head", false}, {2, "head", true}, {0, "block2", false}, {2, "block2", true}} {
		s := newSweep(t, c.jobs)
		for i := range s.batch.Runs {
			s.batch.Runs[i].Train.Config.Training.Stages = []rundir.Stage{{Name: c.stage}}
		}
		env, named := s.Env(), map[string]int{}
		env.Note = func(n workflow.Note) {
			if !strings.HasPrefix(n.String(), "run ") {
				named[n.Run]++
			}
		}
		b, err := batch.Plan(t.Context(), s.batch, env)
		if err != nil {
			t.Fatal(err)
		}
		err = b.Do(t.Context())
		b.Close()
		if err != nil || b.Verdict(t.Context()) != nil {
			t.Fatal(err, b.Verdict(t.Context()))
		}
		want := []string{""}
		if c.named {
			want = []string{"run-0", "run-1", "run-2", "run-3", "run-4", "run-5"}
		}
		var got []string
		for name := range named {
			got = append(got, name)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d jobs, %s: notes about %q", c.jobs, c.stage, got)
		}
	}
}
