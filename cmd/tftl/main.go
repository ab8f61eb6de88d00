// Command tftl trains and evaluates image classifiers by transfer learning, with
// networks exported once from Keras.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"tftl/internal/quiet"
)

// version is set by the linker; see the Makefile.
var version = "unknown"

func main() {
	stderr := quiet.Guard(crashHint(os.Args))
	allowGarbage(50) // less memory for lists of images; TensorFlow does most of the work
	ctx, stop := signal.NotifyContext(context.Background(), interrupts()...)
	// The first signal asks the program to stop; a later one kills it.
	context.AfterFunc(ctx, func() {
		time.Sleep(echo)
		stop()
		if len(os.Args) > 1 && os.Args[1] == "launch" {
			return // it waits for its processes, which are cut off, and kills them in the end
		}
		time.Sleep(patience - echo)
		cutOff(stderr)
	})
	os.Exit(run(ctx, os.Args, os.Stdout, stderr))
}

// allowGarbage sets how much garbage may be in memory, in percent of what is in use.
func allowGarbage(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// interrupts are the signals that ask the program to stop. nohup has it ignore
// that the terminal was closed.
func interrupts() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}

// echo is how long a second signal belongs to the first. timeout sends one to the
// program and one to its group, and shells do so when a terminal is closed.
const echo = 500 * time.Millisecond

// patience is how long the program may take to stop. The rest of five seconds is for
// the system, which frees its memory.
const patience = 3500 * time.Millisecond

// cutOff ends a program that did not stop in time: a step takes longer, a file on a
// slow network does not answer. All files are whole, because they are written to a
// temporary name. Nobody may be reading the message either.
func cutOff(stderr io.Writer) {
	said := make(chan struct{})
	go func() {
		fmt.Fprintf(stderr, "tftl: interrupted; what was going on did not end within %v and was cut off\n", patience)
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(100 * time.Millisecond):
	}
	os.Exit(exitInterrupted)
}
