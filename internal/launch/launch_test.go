package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newGroup is a group of stand-ins that do this, in a folder of their own.
func newGroup(t *testing.T, scripts ...string) (g Group, stdout, stderr *bytes.Buffer) {
	t.Helper()
	t.Chdir(t.TempDir())
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	g = Group{Path: self(t), Stdout: stdout, Stderr: stderr, Grace: time.Minute}
	for _, script := range scripts {
		g.Env = append(g.Env, append(os.Environ(), "DO="+strings.ReplaceAll(script, ";", "\n")))
	}
	return g, stdout, stderr
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The chief's results are as it printed them. Lines of the others, and all that goes to
// stderr, have a number.
func TestOutput(t *testing.T) {
	g, stdout, stderr := newGroup(t, "out result;err note;part end", "out other;err warning;part tail")
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); got != "result\nend" {
		t.Errorf("stdout %q", got)
	}
	lines := strings.SplitAfter(stderr.String(), "\n")
	for _, want := range []string{"[0] note\n", "[1] other\n", "[1] warning\n", "[1] tail\n"} {
		if n := strings.Count(stderr.String(), want); n != 1 {
			t.Errorf("%q is there %d times: %q", want, n, lines)
		}
	}
	if len(lines) != 5 {
		t.Errorf("lines %q", lines)
	}
}

// A long line is bounded, but not in a result, and none is mixed with another.
func TestLongLines(t *testing.T) {
	const n = 100_000
	g, stdout, stderr := newGroup(t, fmt.Sprintf("long %d;out y", n), fmt.Sprintf("long %d;out y", n), fmt.Sprintf("long %d", n))
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); got != strings.Repeat("x", n)+"y\n" {
		t.Errorf("stdout has %d bytes", len(got))
	}
	count := map[string]int{}
	for line := range strings.Lines(stderr.String()) {
		prefix, text, _ := strings.Cut(line, " ")
		if len(text) > maxLine+1 || strings.Trim(text, "xy\n") != "" {
			t.Errorf("%.20q… has %d bytes", line, len(line))
		}
		count[prefix] += strings.Count(text, "x")
	}
	if count["[1]"] != n || count["[2]"] != n || len(count) != 2 {
		t.Errorf("bytes: %v", count)
	}
}

// slow is a reader of the output who looks away for longer than linger.
type slow struct{ bytes.Buffer }

func (s *slow) Write(p []byte) (int, error) {
	if s.Len() == 0 {
		time.Sleep(linger + linger/4)
	}
	return s.Buffer.Write(p)
}

func TestOutputOfAnEndedProcessIsNotLost(t *testing.T) {
	const n = 50_000 // a pipe holds as much
	g, _, _ := newGroup(t, fmt.Sprintf("long %d", n))
	stdout := &slow{}
	g.Stdout = stdout
	if err := g.Run(); err != nil || stdout.Len() != n {
		t.Errorf("%d bytes, %v", stdout.Len(), err)
	}
}

// A process that has left the group, and so is not killed, may hold the pipe.
func TestOutputEndsWithTheProcess(t *testing.T) {
	g, stdout, _ := newGroup(t, "spawn leave,pid a,forever;wait a;part end")
	if err := g.Run(); err != nil || stdout.String() != "end" {
		t.Errorf("%q, %v", stdout, err)
	}
	pid, err := strconv.Atoi(contents(t, "a"))
	if err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Errorf("the process has ended: %v", err)
	}
}

func TestFirstFailureEndsAll(t *testing.T) {
	g, _, _ := newGroup(t, "catch a", "wait a.ready;wait b.ready;exit 3", "catch b")
	var f *Failure
	if err := g.Run(); !errors.As(err, &f) || *f != (Failure{Task: 1, Code: 3}) || f.Retryable() || err.Error() != "task 1 ended with exit code 3" {
		t.Errorf("got %v", err)
	}
	for _, file := range []string{"a", "b"} {
		if got := contents(t, file); got != "terminated" {
			t.Errorf("%s got the signals %q", file, got)
		}
	}
}

func TestKilledProcess(t *testing.T) {
	g, _, _ := newGroup(t, "catch a", "catch b", "wait a.ready;wait b.ready;die")
	var f *Failure
	if err := g.Run(); !errors.As(err, &f) || *f != (Failure{2, 138, syscall.SIGKILL}) || !f.Retryable() || err.Error() != "task 2 was killed (SIGKILL)" {
		t.Errorf("got %v", err)
	}
}

// Processes that lost a peer are not to blame if another one has a reason.
func TestReasonIsThatOfTheProcessWithOne(t *testing.T) {
	for name, test := range map[string]struct {
		scripts []string
		want    Failure
	}{
		"a failure that is seen later": {[]string{"touch a;exit 138", "wait a;exit 3"}, Failure{Task: 1, Code: 3}},
		"a peer that was killed":       {[]string{"touch a;exit 138", "wait a;die"}, Failure{1, 138, syscall.SIGKILL}},
		"none":                         {[]string{"exit 138", "exit 138"}, Failure{Code: 138}},
		"a peer that hangs":            {[]string{"exit 138", "forever"}, Failure{Code: 138}},
		"an interrupted one":           {[]string{"catch a", "wait a.ready;exit 130"}, Failure{Task: 1, Code: 130}},
		"a failure while all end":      {[]string{"exit 138", "fail 3"}, Failure{Task: 1, Code: 3}},
		"the first of two":             {[]string{"wait a;exit 4", "fail 3 a"}, Failure{Code: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			g, _, _ := newGroup(t, test.scripts...)
			g.Grace = 100 * time.Millisecond
			var f *Failure
			if err := g.Run(); !errors.As(err, &f) {
				t.Fatalf("got %v", err)
			}
			if name == "none" {
				f.Task = 0 // whichever was first
			}
			if *f != test.want {
				t.Errorf("got %+v, want %+v", *f, test.want)
			}
		})
	}
}

// A process that does not end when asked is killed, and so is what it has started.
func TestStubbornProcesses(t *testing.T) {
	g, _, _ := newGroup(t, "ignore;spawn ignore,pid grandchild,forever;touch a;forever", "wait a;wait grandchild;exit 1")
	g.Grace = 50 * time.Millisecond
	var f *Failure
	if err := g.Run(); !errors.As(err, &f) || *f != (Failure{Task: 1, Code: 1}) {
		t.Errorf("got %v", err)
	}
	untilGone(t, contents(t, "grandchild"))
}

// What a process leaves behind ends with it, even if all is well.
func TestGrandchildren(t *testing.T) {
	g, _, _ := newGroup(t, "spawn ignore,pid a,forever;wait a")
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	untilGone(t, contents(t, "a"))
}

// Two signals in a moment are one, as with timeout. Each process gets it once.
func TestSignalReachesAllOnce(t *testing.T) {
	g, _, _ := newGroup(t, "catch a", "catch b", "catch c")
	signals := make(chan os.Signal, 2)
	g.Signals = signals
	go func() {
		for _, name := range []string{"a", "b", "c"} {
			untilWritten(t, name+".ready")
		}
		signals <- syscall.SIGHUP
		signals <- syscall.SIGHUP
	}()
	if err := g.Run(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if got := contents(t, name); got != "hangup" {
			t.Errorf("%s got the signals %q", name, got)
		}
	}
}

func TestLaterSignalKills(t *testing.T) {
	g, _, _ := newGroup(t, "ignore;touch a;forever")
	signals := make(chan os.Signal)
	g.Signals = signals
	done := make(chan error)
	go func() { done <- g.Run() }()
	untilWritten(t, "a")
	for {
		select {
		case signals <- os.Interrupt:
			time.Sleep(20 * time.Millisecond)
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			return
		}
	}
}

func TestProgramThatCannotStart(t *testing.T) {
	g, _, _ := newGroup(t, "forever", "forever")
	g.Path = filepath.Join(t.TempDir(), "none")
	if err := g.Run(); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "task 0: ") {
		t.Errorf("got %v", err)
	}
}

// launching starts a program that launches two stand-ins, in a process group of its own
// as shells do.
func launching(t *testing.T, script string) (program *exec.Cmd, stdout *bytes.Buffer) {
	t.Helper()
	t.Chdir(t.TempDir())
	program, stdout = exec.Command(self(t)), new(bytes.Buffer)
	program.Env = append(os.Environ(), "DO=launch "+script)
	program.Stdout, program.Stderr = stdout, os.Stderr
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Process.Kill() })
	return program, stdout
}

// A terminal sends Ctrl-C to the whole group in its foreground.
func TestCtrlCReachesAllOnce(t *testing.T) {
	program, stdout := launching(t, "catch %")
	untilWritten(t, "0.ready")
	untilWritten(t, "1.ready")
	if err := syscall.Kill(-program.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err != nil || stdout.String() != "ended with context canceled\n" {
		t.Errorf("%v, stdout %q", err, stdout)
	}
	for _, name := range []string{"0", "1"} {
		if got := contents(t, name); got != "interrupt" {
			t.Errorf("task %s got the signals %q", name, got)
		}
	}
}

func TestNoProcessOutlivesTheProgram(t *testing.T) {
	program, _ := launching(t, "ignore;pid %;forever")
	untilWritten(t, "0")
	untilWritten(t, "1")
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	untilGone(t, contents(t, "0"))
	untilGone(t, contents(t, "1"))
	_ = program.Wait()
}

func contents(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func untilWritten(t *testing.T, file string) {
	t.Helper()
	if err := do("wait", file); err != nil {
		t.Error(err)
	}
}

// untilGone waits until a process is no more, or a zombie that nobody reaps.
func untilGone(t *testing.T, pid string) {
	t.Helper()
	err := until("process "+pid+" still runs", func() bool {
		stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		_, state, _ := strings.Cut(string(stat), ") ")
		return err != nil || strings.HasPrefix(state, "Z")
	})
	if err != nil {
		t.Error(err)
	}
}
