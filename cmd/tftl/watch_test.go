package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// watch writes the native stacks of each descendant process that still runs after
// a limit, once, because nobody can ask later what a hanging command was doing.
// It ends no process. stop ends the watching.
func watch(w io.Writer, limit time.Duration) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		began, told := map[int]time.Time{}, map[int]bool{}
		for tick := time.NewTicker(limit / 10); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
			running := map[int]time.Time{}
			for _, pid := range descendants(os.Getpid()) {
				running[pid] = time.Now()
				if t, ok := began[pid]; ok {
					running[pid] = t
				}
				if time.Since(running[pid]) >= limit && !told[pid] {
					told[pid] = true
					fmt.Fprintf(w, "still running after %v: process %d: %s\n%s", limit, pid, commandLine(pid), stacks(pid))
				}
			}
			began = running
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// descendants are the processes that a process started, directly or indirectly.
func descendants(of int) (pids []int) {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid …, and a name may contain anything.
		after := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(after) < 2 {
			continue
		}
		parent, _ := strconv.Atoi(after[1])
		children[parent] = append(children[parent], pid)
	}
	for next := children[of]; len(next) > 0; next = next[1:] {
		pids = append(pids, next[0])
		next = append(next, children[next[0]]...)
	}
	return pids
}

func commandLine(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.ReplaceAll(strings.TrimSuffix(string(data), "\x00"), "\x00", " ")
}

// stacks are a process's threads as the kernel sees them, and as a debugger sees
// them if one is installed.
func stacks(pid int) string {
	var b strings.Builder
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		fmt.Fprintf(&b, "thread %s:", filepath.Base(task))
		for _, name := range []string{"comm", "wchan", "syscall", "stack"} {
			if data, err := os.ReadFile(filepath.Join(task, name)); err == nil {
				fmt.Fprintf(&b, " %s %s", name, strings.TrimSpace(string(data)))
			}
		}
		fmt.Fprintln(&b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, debugger := range [][]string{
		{"gdb", "-p", strconv.Itoa(pid), "-batch", "-ex", "thread apply all bt 40"},
		{"eu-stack", "-p", strconv.Itoa(pid)},
	} {
		if _, err := exec.LookPath(debugger[0]); err != nil {
			continue
		}
		said, err := exec.CommandContext(ctx, debugger[0], debugger[1:]...).CombinedOutput()
		fmt.Fprintf(&b, "%s\n%s: %v\n", callersLast(string(said)), debugger[0], err)
		break
	}
	return b.String()
}

// callersLast puts threads that have called TensorFlow's C API last: whoever prints
// only the end of a log has them.
func callersLast(stacks string) string {
	threads := strings.Split(stacks, "\nThread ")
	calls := func(thread string) bool { return strings.Contains(thread, " TF_") }
	slices.SortStableFunc(threads[1:], func(a, b string) int {
		if calls(a) == calls(b) {
			return 0
		}
		return map[bool]int{true: 1, false: -1}[calls(a)]
	})
	return strings.Join(threads, "\nThread ")
}

func TestCallersOfTensorFlowAreLast(t *testing.T) {
	const idle, calling = "\nThread 3 (LWP 7)\n#0 syscall ()\n", "\nThread 9 (LWP 8)\n#0 in futex ()\n#5 in TF_NewSession ()\n"
	if got := callersLast("attached\n" + calling + idle + idle); got != "attached\n"+idle+idle+calling {
		t.Error(got)
	}
}

// The stacks of a command that exceeds the limit are printed while it still runs.
func TestWatch(t *testing.T) {
	sleeping := exec.Command("sleep", "600")
	if err := sleeping.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleeping.Process.Kill()
		_ = sleeping.Wait()
	}()
	r, w := io.Pipe()
	stop := watch(w, 100*time.Millisecond)
	said := make([]byte, 1<<20)
	n, err := r.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	r.Close() // discard what else is written
	stop()
	for _, want := range []string{fmt.Sprintf("process %d: sleep 600\n", sleeping.Process.Pid), fmt.Sprintf("thread %d: comm sleep", sleeping.Process.Pid)} {
		if !strings.Contains(string(said[:n]), want) {
			t.Errorf("said %q, want %q in it", said[:n], want)
		}
	}
}
