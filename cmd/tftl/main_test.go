package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/joshdk/go-junit"
	"github.com/rogpeppe/go-internal/testscript"

	"tftl/savedmodels"
)

// TestMain lets the test binary act as the program: scripts run it as tftl.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tftl": main, "interrupt": interrupt, "kills": kills, "crash": crash, "pair": pair})
}

// TestScripts runs the program as a person would. testdata has one script per
// feature. UPDATE_SCRIPTS=1 rewrites the files that cmp compares with.
//
// In addition to testscript's commands there are
//
//	fails CODE PROGRAM …      require this exit code and one line that says why
//	interrupt FILE PROGRAM …  press Ctrl-C as soon as FILE is not empty, twice in a moment, as
//	                          timeout does; -HUP and -TERM before FILE send that signal
//	kills COUNT RUN PROGRAM … kill at random moments and resume each time; RUN-whole runs undisturbed
//	pair PROGRAM … -- …       run the program twice, as a cluster of two; the second has more arguments
//	json FILE PATH [VALUE]    require one JSON document with this value at a path such as classes.0.name
//	junit FILE [STATUS …]     require test cases with these results: passed, failed, error, skipped
//	older RUN                 make a run like those of older versions, which have no seals
//	near FILE FILE MOST       require JSON lines that differ in numbers only, at most by this part of the
//	                          largest value that the number has in any line
//	tmpfs DIR SIZE            mount a small file system; the condition [tmpfs] says if that works here
//
// [bfloat16] is true if this machine computes in it. [onednn] is true if TensorFlow's oneDNN kernels
// are on; without them an image's features may depend on its place in the batch.
func TestScripts(t *testing.T) {
	fixtures, err := filepath.Abs("../../build/testdata")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fixtures); err != nil {
		t.Fatalf("%v: make testdata builds it", err)
	}
	if signal.Ignored(syscall.SIGHUP) { // by nohup: the commands would inherit it
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	t.Cleanup(watch(os.Stderr, 2*time.Minute)) // scripts are parallel tests, which outlive this function
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", fixtures)
			env.Setenv("HOME", filepath.Join(env.WorkDir, ".home"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			for _, kernels := range []string{"TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA"} {
				if value := os.Getenv(kernels); value != "" {
					env.Setenv(kernels, value)
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails, "json": checkJSON, "junit": checkJUnit, "near": near, "older": older, "seal": seal, "tmpfs": tmpfs,
		},
		Condition: condition,
	})
}

// interrupt runs a program and sends it a signal once a file is not empty.
func interrupt() {
	args, sent := os.Args[1:], os.Interrupt
	if s, ok := map[string]os.Signal{"-HUP": syscall.SIGHUP, "-TERM": syscall.SIGTERM}[args[0]]; ok {
		args, sent = args[1:], s
	}
	file, cmd := args[0], exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the exit code is read below
		close(ended)
	}()
	for {
		select {
		case <-ended:
			os.Exit(cmd.ProcessState.ExitCode())
		case <-time.After(10 * time.Millisecond):
		}
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			for range 2 { // as timeout does
				if err := cmd.Process.Signal(sent); err != nil && !errors.Is(err, os.ErrProcessDone) {
					fmt.Fprintln(os.Stderr, err)
				}
			}
			<-ended
		}
	}
}

// inner matches internals that a user should never see.
var inner = regexp.MustCompile(`panic|goroutine \d|\[\[\{\{|\{\{node|runtime error|%!|^\s+at |\.go:\d`)

// wellSaid checks how stderr says why a program failed: in one line that begins
// with the program's name, perhaps followed by a hint. Progress, warnings and
// errors that did not end it may come before it.
func wellSaid(stderr string, quiet bool) error {
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if strings.HasPrefix(lines[len(lines)-1], "hint: ") {
		lines = lines[:len(lines)-1]
	}
	for i, line := range lines {
		isError := strings.HasPrefix(line, "tftl: ") && !strings.HasPrefix(line, "tftl: warning: ") && !strings.HasPrefix(line, "tftl: error: ")
		switch {
		case isError != (i == len(lines)-1):
			return fmt.Errorf("the error should be one line, the last before a hint: %q", lines)
		case quiet && !strings.HasPrefix(line, "tftl: "):
			return fmt.Errorf("not quiet: %q", line)
		case inner.MatchString(line) || len(line) > 800:
			return fmt.Errorf("not for a user: %q", line)
		}
	}
	return nil
}

// fails runs a program that must fail with this exit code and say why.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails CODE PROGRAM …")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &exit) || exit.ExitCode() != code {
		ts.Fatalf("ended with %v, want exit code %d", err, code)
	}
	ts.Check(wellSaid(ts.ReadFile("stderr"), slices.Contains(args, "--quiet")))
}

// checkJSON looks up a value.
func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: json FILE PATH [VALUE]")
	}
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	var value any
	ts.Check(decoder.Decode(&value))
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		ts.Fatalf("%s is more than one document", args[0])
	}
	for key := range strings.SplitSeq(args[1], ".") {
		var ok bool
		switch v := value.(type) {
		case map[string]any:
			value, ok = v[key]
		case []any:
			i, err := strconv.Atoi(key)
			if ok = err == nil && i < len(v); ok {
				value = v[i]
			}
		}
		if !ok {
			ts.Fatalf("%s has nothing at %s of %s", args[0], key, args[1])
		}
	}
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	ts.Check(encoder.Encode(value))
	if text := strings.Trim(got.String(), "\"\n"); len(args) == 3 && text != args[2] {
		ts.Fatalf("%s: %s is %s, want %s", args[0], args[1], text, args[2])
	}
}

// checkJUnit reads a JUnit file with an independent parser.
func checkJUnit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: junit FILE [STATUS …]")
	}
	suites, err := junit.Ingest([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	var got []string
	for _, suite := range suites {
		for _, test := range suite.Tests {
			got = append(got, string(test.Status))
			if (test.Status == junit.StatusPassed) != (test.Message == "") {
				ts.Fatalf("%s: %s has the message %q", test.Name, test.Status, test.Message)
			}
		}
	}
	if !slices.Equal(got, args[1:]) {
		ts.Fatalf("%s has test cases with the results %q, want %q", args[0], got, args[1:])
	}
}

// seal writes the digests of a model's files again, after some were changed.
func seal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: seal MODEL")
	}
	path := filepath.Join(args[0], "assets.extra", "SHA256SUMS")
	var sums strings.Builder
	for line := range strings.Lines(ts.ReadFile(path)) {
		_, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(ts.ReadFile(filepath.Join(args[0], file)))), file)
	}
	ts.Check(os.WriteFile(ts.MkAbs(path), []byte(sums.String()), 0o644))
}

// older removes the seals of a run.
func older(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: older RUN")
	}
	run := ts.MkAbs(args[0])
	for _, seal := range []string{"run.sha256", "evaluation.sha256", "gallery/gallery.sha256"} {
		if err := os.Remove(filepath.Join(run, seal)); !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
	}
	for _, pattern := range []string{"config.json", "checkpoints/*/state.json", "decision.json", "model/assets.extra/decision.json"} {
		names, err := filepath.Glob(filepath.Join(run, pattern))
		ts.Check(err)
		for _, name := range names {
			text, err := os.ReadFile(name)
			ts.Check(err)
			var keys map[string]json.RawMessage
			ts.Check(json.Unmarshal(text, &keys))
			for _, key := range []string{"sealed", "seal", "history_sha256"} {
				delete(keys, key)
			}
			text, err = json.MarshalIndent(keys, "", "  ")
			ts.Check(err)
			ts.Check(os.WriteFile(name, text, 0o644))
		}
	}
}

// tmpfs mounts a file system of this size until the script ends.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o777))
	ts.Check(exec.Command("mount", "-t", "tmpfs", "-o", "size="+args[1], "tmpfs", dir).Run())
	ts.Defer(func() { ts.Check(exec.Command("umount", dir).Run()) })
}

func condition(name string) (bool, error) {
	switch name {
	case "tmpfs":
	case "onednn":
		return os.Getenv("TF_ENABLE_ONEDNN_OPTS") != "0", nil
	case "bfloat16":
		_, err := savedmodels.Resolve(savedmodels.Options{Precision: savedmodels.BFloat16})
		return err == nil, nil
	default:
		return false, fmt.Errorf("unknown condition %q", name)
	}
	dir, err := os.MkdirTemp("", "tftl")
	if err != nil {
		return false, err
	}
	defer os.Remove(dir)
	if exec.Command("mount", "-t", "tmpfs", "tmpfs", dir).Run() != nil {
		return false, nil
	}
	return true, exec.Command("umount", dir).Run()
}
