package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Every number from outside has a bound before anything is allocated or begun.
func TestNumbersHaveBounds(t *testing.T) {
	const huge = "1000000000"
	fit := "fit --data p --model m "
	for arguments, want := range map[string]string{
		fit + "--epochs " + huge:                                               "--epochs 1000000000: must be at most 1000000",
		fit + "--batch-size " + huge:                                           "--batch-size 1000000000: must be at most 65536",
		fit + "--workers " + huge:                                              "--workers 1000000000: must be at most 1024",
		fit + "--threads " + huge:                                              "--threads 1000000000: must be at most 1024",
		fit + "--patience " + huge:                                             "--patience 1000000000: must be at most 1000000",
		fit + "--start-from-epoch " + huge:                                     "--start-from-epoch 1000000000: must be at most 1000000",
		fit + "--plateau-patience " + huge:                                     "--plateau-patience 1000000000: must be at most 1000000",
		fit + "--decay-epochs " + huge:                                         "--decay-epochs 1000000000: must be at most 1000000",
		fit + "--warmup-epochs " + huge:                                        "--warmup-epochs 1000000000: must be at most 1000000",
		fit + "--stage head:epochs=" + huge:                                    "epochs must be whole numbers from 1 to 1000000",
		fit + "--stage head:warmup-epochs=" + huge:                             "warmup-epochs 1000000000: must be at most 1000000",
		fit + "--units " + huge:                                                `--units "1000000000": must be whole numbers from 1 to 65536`,
		fit + "--tune " + huge:                                                 "--tune 1000000000: must be at most 1000",
		fit + "--tune 8 --tune-folds " + huge:                                  "--tune-folds 1000000000: must be at most 100",
		fit + "--checkpoint-every -1s":                                         "--checkpoint-every -1s: must be 0 or more",
		fit + "--augment light --augment-copies " + huge:                       "--augment-copies 1000000000: must be from 0 to 1000",
		fit + "--width-shift-range 1e300":                                      "--width-shift-range 1e+300: must be from 0 to 1000000",
		fit + "--height-shift-range 1e300":                                     "--height-shift-range 1e+300: must be from 0 to 1000000",
		fit + "--zoom-range 1e-300,1":                                          "--zoom-range [1e-300 1]: must be two factors from 0.001 to 1000",
		fit + "--brightness-range 1,1e300":                                     "--brightness-range [1 1e+300]: must be two factors from 0 to 1000",
		fit + "--contrast-range 1,1e300":                                       "--contrast-range [1 1e+300]: must be two factors from 0 to 1000",
		"evaluate --model m --resamples " + huge:                               "--resamples 1000000000: must be at most 1000000",
		"evaluate --model m --batch-size " + huge:                              "--batch-size 1000000000: must be at most 65536",
		"evaluate --model m --workers " + huge:                                 "--workers 1000000000: must be at most 1024",
		"compare a b --resamples " + huge:                                      "--resamples 1000000000: must be at most 1000000",
		"predict --model m --batch-size " + huge + " a":                        "--batch-size 1000000000: must be at most 65536",
		"predict --model m --workers " + huge + " a":                           "--workers 1000000000: must be at most 1024",
		"lr-find --data p --model m --rates " + huge:                           "--rates 1000000000: must be at most 1000",
		"lr-find --data p --model m --steps " + huge:                           "--steps 1000000000: must be at most 1000000",
		"curve --data p --model m --seeds " + huge:                             "--seeds 1000000000: must be at most 50",
		"curve --data p --model m --epochs " + huge:                            "--epochs 1000000000: must be at most 1000000",
		"curve --width 1e-9 --accuracy 0.9":                                    "--width 1e-09: must be from 0.0005 to below 1",
		"split --output x.csv --folds " + huge + " .":                          "--folds 1000000000: must be at most 1000000",
		"launch -n " + huge + " -- version":                                    "--processes 1000000000: must be at most 64",
		"launch -n 2 --max-restarts " + huge + " -- version":                   "--max-restarts 1000000000: must be at most 1000",
		"inspect --workers " + huge + " .":                                     "--workers 1000000000: must be at most 1024",
		"preview --data p --output x.png --workers " + huge:                    "--workers 1000000000: must be at most 1024",
		"preview --data p --output x.png --image-size " + huge:                 "there is no augmentation to show",
		"preview --data p --output x.png --augment light --image-size " + huge: "must be one or two whole numbers from 1 to 4096",
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"tftl"}, strings.Fields(arguments)...), &stdout, &stderr)
		if code != exitUsage || stdout.Len() > 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("tftl %s: exit code %d, stdout %q, stderr %q, want %q", arguments, code, stdout.String(), stderr.String(), want)
		}
		if err := wellSaid(stderr.String(), true); err != nil {
			t.Errorf("tftl %s: %v", arguments, err)
		}
	}
}

// A pipe, a socket, a device or a folder in the place of a file is an error, and no
// command waits for it.
func TestCommandsReadOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pipe, filepath.Join(dir, "predictions.csv")); err != nil {
		t.Fatal(err)
	}
	for _, odd := range []struct{ path, what string }{{pipe, "a pipe"}, {"/dev/zero", "a device"}, {dir, "a folder"}} {
		for arguments, kind := range map[string]int{
			"run %s":                                    exitUsage,
			"fit --data p --model m --config %s":        exitUsage,
			"evaluate --model m --labels %s":            exitUsage,
			"compare %s " + filepath.Join(dir, "none"):  exitUsage,
			"predict --model m --labels %s --csv a.jpg": exitUsage,
		} {
			if odd.what == "a folder" && strings.HasPrefix(arguments, "compare") { // may be a run
				continue
			}
			var stdout, stderr bytes.Buffer
			line := fmt.Sprintf(arguments, odd.path)
			ended := make(chan int, 1)
			go func() { ended <- run(t.Context(), append([]string{"tftl"}, strings.Fields(line)...), &stdout, &stderr) }()
			select {
			case code := <-ended:
				if want := fmt.Sprintf("%s: is %s, not a file", odd.path, odd.what); code != kind || !strings.Contains(stderr.String(), want) {
					t.Errorf("tftl %s: exit code %d, %q, want %d and %q", line, code, stderr.String(), kind, want)
				}
			case <-time.After(time.Minute):
				t.Fatalf("tftl %s waits", line)
			}
		}
	}
}
