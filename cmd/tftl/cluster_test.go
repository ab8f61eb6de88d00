package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// pair runs a program as a cluster of two tasks, and ends with the exit code of the
// first. The second has more arguments.
func pair() {
	args, more := os.Args[1:], []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		args, more = args[:i], args[i+1:]
	}
	var addresses []string
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		defer listener.Close()
		addresses = append(addresses, strconv.Quote(listener.Addr().String()))
		_ = listener.Close()
	}
	var tasks [2]*exec.Cmd
	for i := range tasks {
		tasks[i] = exec.Command(args[0], slices.Concat(args[1:], more[:i*len(more)])...)
		tasks[i].Stdout, tasks[i].Stderr = os.Stdout, os.Stderr
		tasks[i].Env = append(os.Environ(), fmt.Sprintf(`TF_CONFIG={"cluster":{"worker":[%s]},"task":{"type":"worker","index":%d}}`, strings.Join(addresses, ","), i))
		if err := tasks[i].Start(); err != nil {
			panic(err)
		}
	}
	first, second := tasks[0].Wait(), tasks[1].Wait()
	if (first == nil) != (second == nil) {
		panic(fmt.Sprint(first, second))
	}
	os.Exit(tasks[0].ProcessState.ExitCode())
}

// near compares the lines of two files. A difference of two numbers counts in relation to
// the largest of that name, because single ones near 0 differ by anything.
func near(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: near FILE FILE MOST")
	}
	most, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	one, other := jsonLines(ts, args[0]), jsonLines(ts, args[1])
	if len(one) != len(other) {
		ts.Fatalf("%d lines and %d", len(one), len(other))
	}
	largest := map[string]float64{}
	for _, line := range slices.Concat(one, other) {
		for name, value := range line {
			if n, ok := value.(float64); ok {
				largest[name] = max(largest[name], math.Abs(n))
			}
		}
	}
	for i, line := range one {
		if len(line) != len(other[i]) {
			ts.Fatalf("line %d has %d values and %d", i+1, len(line), len(other[i]))
		}
		for name, value := range line {
			n, number := value.(float64)
			m, ok := other[i][name].(float64)
			if number && ok && math.Abs(n-m) <= most*largest[name] || !number && value == other[i][name] {
				continue
			}
			ts.Fatalf("line %d: %s is %v and %v", i+1, name, value, other[i][name])
		}
	}
}

func jsonLines(ts *testscript.TestScript, file string) (lines []map[string]any) {
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile(file)))
	for {
		var line map[string]any
		if err := decoder.Decode(&line); err == io.EOF {
			return lines
		} else if err != nil {
			ts.Fatalf("%s: %v", file, err)
		}
		lines = append(lines, line)
	}
}
