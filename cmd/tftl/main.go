// Command tftl trains and evaluates image classifiers by transfer learning,
// with networks that were exported once from Keras.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tftl/internal/quiet"
)

// version is set by the Makefile.
var version = "unknown"

func main() {
	quiet.Guard()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; a second one is the system's own.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}
