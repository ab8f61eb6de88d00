package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// kills is the command `kills COUNT RUN PROGRAM fit …`. It trains RUN-whole
// undisturbed, and RUN with a SIGKILL at COUNT random moments, resuming each
// time. The moments differ each time the tests run.
func kills() {
	count, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = killAndResume(count, os.Args[2], os.Args[3:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kills:", err)
		os.Exit(1)
	}
}

func killAndResume(count int, run string, program []string) error {
	begin := append(program, "--output")
	started := time.Now()
	if _, err := killAfter(time.Hour, append(begin, run+"-whole")); err != nil {
		return err
	}
	whole := time.Since(started)
	resume := []string{program[0], "fit", "--resume", run}
	for landed := 0; landed < count; {
		command := resume
		if _, err := os.Stat(filepath.Join(run, "config.json")); errors.Is(err, os.ErrNotExist) {
			command = append(begin, run)
		}
		moment := time.Duration(rand.Float64() * float64(whole) / 4)
		killed, err := killAfter(moment, command)
		if err != nil {
			return fmt.Errorf("kill %d, after %v: %w", landed+1, moment, err)
		}
		if killed {
			landed++
			continue
		}
		// The program ended before it could be killed: start over.
		if err := os.RemoveAll(run); err != nil {
			return err
		}
	}
	if _, err := os.Stat(run); errors.Is(err, os.ErrNotExist) {
		resume = append(begin, run)
	}
	_, err := killAfter(time.Hour, resume)
	return err
}

// killAfter runs a program and kills it if it still runs after moment. A program
// that fails by itself is an error.
func killAfter(moment time.Duration, command []string) (killed bool, err error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return false, err
	}
	timer := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 { // ended by a signal
		return true, nil
	}
	return false, err
}
