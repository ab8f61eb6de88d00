package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/joshdk/go-junit"
	"github.com/rogpeppe/go-internal/testscript"

	"tftl/savedmodels"
)

// The test binary is the program, too: the scripts run it under its own name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tftl": main, "interrupt": interrupt, "kills": kills})
}

// TestScripts runs the program as a person would: testdata has a script a
// feature. With UPDATE_SCRIPTS set, what cmp compares with is written anew.
//
// Beside testscript's own commands there are
//
//	fails CODE PROGRAM …      it ends with this code and one line that says why
//	interrupt FILE PROGRAM …  Ctrl-C as soon as FILE has something in it
//	kills COUNT RUN PROGRAM … SIGKILL at random moments, each time resumed; RUN-whole is left alone
//	json FILE PATH [VALUE]    FILE is one JSON document, and has this at a path such as classes.0.name
//	junit FILE [STATUS …]     FILE has test cases that came out so: passed, failed, error, skipped
//	tmpfs DIR SIZE            mounts a small file system; [tmpfs] says whether that can be done
//
// The condition [bfloat16] says whether this machine computes in it; [onednn], whether TensorFlow's
// oneDNN kernels are on, without which an image's features may depend on its place in the batch.
func TestScripts(t *testing.T) {
	fixtures, err := filepath.Abs("../../build/testdata")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fixtures); err != nil {
		t.Fatalf("%v: run make test, which makes it", err)
	}
	t.Cleanup(watch(os.Stderr, 2*time.Minute)) // a script is a parallel test: it outlives this function
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", fixtures)
			env.Setenv("HOME", filepath.Join(env.WorkDir, ".home"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			// Spares each program starting a second time; see internal/quiet.
			env.Setenv("TF_CPP_MIN_LOG_LEVEL", "3")
			env.Setenv("TF_ENABLE_ONEDNN_OPTS", cmp.Or(os.Getenv("TF_ENABLE_ONEDNN_OPTS"), "1"))
			env.Setenv("ONEDNN_MAX_CPU_ISA", cmp.Or(os.Getenv("ONEDNN_MAX_CPU_ISA"), "DEFAULT"))
			return nil
		},
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"fails": fails, "json": checkJSON, "junit": checkJUnit, "tmpfs": tmpfs},
		Condition: condition,
	})
}

// interrupt runs a program and sends it SIGINT once a file has something in it.
func interrupt() {
	file, cmd := os.Args[1], exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its code is read below
		close(ended)
	}()
	for {
		select {
		case <-ended:
			os.Exit(cmd.ProcessState.ExitCode())
		case <-time.After(10 * time.Millisecond):
		}
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
				fmt.Fprintln(os.Stderr, err)
			}
			<-ended
		}
	}
}

// inner is what a user should never see of the program's insides.
var inner = regexp.MustCompile(`panic|goroutine \d|\[\[\{\{|\{\{node|runtime error|%!|^\s+at |\.go:\d`)

// wellSaid sees that stderr says why a program failed as it should: one line
// that begins with the program's name, and perhaps a hint. Progress may come
// before it, and warnings.
func wellSaid(stderr string, quiet bool) error {
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if strings.HasPrefix(lines[len(lines)-1], "hint: ") {
		lines = lines[:len(lines)-1]
	}
	for i, line := range lines {
		isError := strings.HasPrefix(line, "tftl: ") && !strings.HasPrefix(line, "tftl: warning: ")
		switch {
		case isError != (i == len(lines)-1):
			return fmt.Errorf("the last line but for a hint, and it alone, should be the error: %q", lines)
		case quiet && !strings.HasPrefix(line, "tftl: "):
			return fmt.Errorf("not quiet: %q", line)
		case inner.MatchString(line) || len(line) > 500:
			return fmt.Errorf("not for a user: %q", line)
		}
	}
	return nil
}

// fails runs a program that is to fail with a code and say why.
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

// checkJSON looks a value up.
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

// checkJUnit reads a JUnit file with somebody else's parser.
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
		ts.Fatalf("%s has test cases that came out %q, want %q", args[0], got, args[1:])
	}
}

// tmpfs mounts a file system of a size until the script ends.
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
