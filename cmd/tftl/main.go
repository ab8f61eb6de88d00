// Command tftl trains and evaluates image classifiers by transfer learning, with
// networks exported once from Keras.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"tftl/internal/quiet"
)

// version is set by the linker; see the Makefile.
var version = "unknown"

func main() {
	quiet.Guard()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // less memory for lists of images; TensorFlow does most of the work
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the program to stop; a second one kills it.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}
