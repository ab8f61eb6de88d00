package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Whatever becomes of a file in a run's folder, a command refuses it with exit code 1
// (4 if it is the model's), or answers as if nothing had happened, bit for bit.
//
// TFTL_MUTATIONS=200 tries so many mutations with each command, instead of a few with
// one command each. TFTL_MUTATIONS_SEED draws others.
func TestMutatedRuns(t *testing.T) {
	t.Parallel()
	count, all := 30, false
	if text := os.Getenv("TFTL_MUTATIONS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		count, all = n, true
	}
	seed, _ := strconv.ParseUint(os.Getenv("TFTL_MUTATIONS_SEED"), 10, 64)
	m := newMutations(t)
	random := rand.New(rand.NewPCG(seed, 19))
	for i := range count {
		for k, command := range m.commands {
			if !all && k != i%len(m.commands) {
				continue
			}
			mutated := m.mutate(command.run, random)
			outcome, err := m.try(command)
			if err == nil && outcome.code == 0 {
				err = m.same(command, outcome, mutated.file)
			}
			if err == nil && outcome.code != 0 && !slices.Contains(mutated.codes(), outcome.code) {
				err = fmt.Errorf("exit code %d, want one of %v", outcome.code, mutated.codes())
			}
			if err != nil {
				t.Errorf("mutation %d of %s, %s, %v: %v\n%s", i, command.run, strings.Join(command.arguments, " "), mutated, err, outcome.stderr)
			}
			m.tally[fmt.Sprintf("%s: exit code %d", command.arguments[0], outcome.code)]++
		}
	}
	t.Log(m.tally)
}

// mutated is what has become of a file.
type mutated struct{ file, how string }

// codes are those with which a command may refuse it.
func (m mutated) codes() []int {
	switch {
	case strings.HasPrefix(m.file, "model/"):
		return []int{1, 4}
	case m.file == "predictions.csv" && m.how == "removed":
		return []int{3, 4} // it counts as not evaluated
	}
	return []int{1}
}

// mutatedCommand is a command on a run, and the files that are its answer besides stdout.
type mutatedCommand struct {
	run       string
	arguments []string
	answer    func(file string) bool
	want      outcome
	files     map[string]string // by name
}

type outcome struct {
	code           int
	stdout, stderr string
}

// mutations has runs to mutate.
type mutations struct {
	*testing.T
	dir      string
	commands []*mutatedCommand
	tally    map[string]int
}

func newMutations(t *testing.T) *mutations {
	fixtures, err := filepath.Abs("../../build/testdata")
	if err != nil {
		t.Fatal(err)
	}
	m := &mutations{T: t, dir: t.TempDir(), tally: map[string]int{}}
	fit := func(run, seed string) []string {
		return []string{"fit", "--data", fixtures + "/photos", "--model", fixtures + "/tiny", "--seed", seed, "--output", run, "--stage", "head:epochs=60", "--stage", "block2:epochs=2,lr=1e-3", "--patience", "0"}
	}
	m.must("tftl", fit("whole", "1")...)
	m.must("tftl", "evaluate", "whole", "--threshold", "0.6")
	m.must("tftl", fit("other", "2")...)
	m.must("tftl", "evaluate", "other", "--threshold", "0.4")
	_ = m.command("interrupt", append([]string{"cut/history.jsonl", "tftl"}, fit("cut", "1")...)...).Run() // it may be too late
	learnt := func(file string) bool {
		return file == "history.jsonl" || strings.HasPrefix(file, "model/") || strings.HasPrefix(file, "checkpoints/best/ckpt") || strings.HasPrefix(file, "checkpoints/last/")
	}
	measured := func(file string) bool {
		return file == "evaluation.json" || file == "predictions.csv" || file == "report.html" || file == "report.md" || strings.HasPrefix(file, "gallery/")
	}
	reported := func(file string) bool { return file == "report.html" || file == "report.md" }
	m.commands = []*mutatedCommand{
		{run: "cut", arguments: []string{"fit", "--resume", "run", "--json"}, answer: learnt},
		{run: "whole", arguments: []string{"evaluate", "run", "--json"}, answer: measured},
		{run: "whole", arguments: []string{"report", "run"}, answer: reported},
		{run: "whole", arguments: []string{"fit", "--resume", "run", "--json"}, answer: learnt},
		{run: "whole", arguments: []string{"compare", "run", "other", "--json"}, answer: func(string) bool { return false }},
		{run: "whole", arguments: []string{"predict", "--model", "run", fixtures + "/photos/red/red-00.jpg", "--json"}, answer: func(string) bool { return false }},
	}
	for _, c := range m.commands {
		m.copy(c.run)
		var err error
		if c.want, err = m.try(c); err != nil || c.want.code != 0 {
			t.Fatalf("%s: %v, %+v", c.arguments, err, c.want)
		}
		c.files = m.files(filepath.Join(m.dir, "run"), c.answer)
	}
	return m
}

func (m *mutations) command(program string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(program, arguments...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "HOME="+m.dir, "XDG_CACHE_HOME="+filepath.Join(m.dir, ".cache"))
	return cmd
}

func (m *mutations) must(program string, arguments ...string) {
	m.Helper()
	if text, err := m.command(program, arguments...).CombinedOutput(); err != nil {
		m.Fatalf("%v: %v\n%s", arguments, err, text)
	}
}

// copy puts a fresh copy of a run in place.
func (m *mutations) copy(run string) {
	m.Helper()
	to := filepath.Join(m.dir, "run")
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(filepath.Join(m.dir, run)))); err != nil {
		m.Fatal(err)
	}
}

// mutate changes one file of a copy of a run.
func (m *mutations) mutate(run string, random *rand.Rand) mutated {
	m.Helper()
	m.copy(run)
	files := m.files(filepath.Join(m.dir, "run"), func(string) bool { return true })
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[random.IntN(len(names))]
	path, data := filepath.Join(m.dir, "run", name), []byte(files[name])
	var how string
	switch kind := random.IntN(5); {
	case kind == 0 || len(data) == 0:
		if err := os.Remove(path); err != nil {
			m.Fatal(err)
		}
		return mutated{name, "removed"}
	case kind == 1:
		data = data[:random.IntN(len(data))]
		how = fmt.Sprintf("cut to %d bytes", len(data))
	case kind == 2:
		if other, err := os.ReadFile(filepath.Join(m.dir, "other", name)); err == nil {
			data, how = other, "that of another run"
			break
		}
		fallthrough
	default:
		at, bit := random.IntN(len(data)), random.IntN(8)
		data[at] ^= 1 << bit
		how = fmt.Sprintf("bit %d of byte %d flipped", bit, at)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		m.Fatal(err)
	}
	return mutated{name, how}
}

// try runs a command on the copy.
func (m *mutations) try(c *mutatedCommand) (o outcome, err error) {
	var stdout, stderr bytes.Buffer
	cmd := m.command("tftl", c.arguments...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return o, err
	}
	o = outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if o.code != 0 {
		err = wellSaid(o.stderr, false)
	}
	return o, err
}

// same compares an answer with that of the undamaged run. A file that was mutated and
// that the command does not write stays as it is.
func (m *mutations) same(c *mutatedCommand, o outcome, mutated string) error {
	if o.stdout != c.want.stdout {
		return fmt.Errorf("answers %q, want %q", o.stdout, c.want.stdout)
	}
	have := m.files(filepath.Join(m.dir, "run"), c.answer)
	for name, want := range c.files {
		if have[name] != want {
			return fmt.Errorf("%s differs", name)
		}
	}
	for name := range have {
		if _, ok := c.files[name]; !ok && name != mutated {
			return fmt.Errorf("%s is new", name)
		}
	}
	return nil
}

// files reads the files of a folder that are wanted, by name.
func (m *mutations) files(dir string, wanted func(name string) bool) map[string]string {
	m.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || !wanted(filepath.ToSlash(name)) {
			return err
		}
		data, err := os.ReadFile(path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
	return all
}
