package ui

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneLine(t *testing.T) {
	if got := OneLine(errors.Join(errors.New("a"), errors.New("b")).Error()); got != "a; b" {
		t.Errorf("got %q", got)
	}
}

// Quiet hides messages but not warnings; the log file has both.
func TestTerminal(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		var out, stderr bytes.Buffer
		log := filepath.Join(t.TempDir(), "log")
		terminal, err := NewTerminal(&out, &stderr, quiet).WithLog(log)
		if err != nil {
			t.Fatal(err)
		}
		terminal.Say("hello %d", 1)
		terminal.Warn("careful\x1b[2J")
		terminal.Fault("not that bad")
		if err := terminal.CloseLog("broken"); err != nil {
			t.Error(err)
		}
		if text := stderr.String(); out.Len() > 0 || strings.Contains(text, "hello 1\n") == quiet ||
			!strings.Contains(text, "tftl: warning: careful") || strings.Contains(text, "\x1b") || !strings.Contains(text, "tftl: error: not that bad") {
			t.Errorf("quiet %v: stdout %q, stderr %q", quiet, out.String(), text)
		}
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"level=INFO msg=\"hello 1\"", "level=WARN", "level=ERROR msg=broken", "level=ERROR msg=\"not that bad\""} {
			if !strings.Contains(string(data), want) {
				t.Errorf("quiet %v: %q is not in the log:\n%s", quiet, want, data)
			}
		}
	}
}

// A message that cannot be logged is an error in the end.
func TestLogThatIsFull(t *testing.T) {
	terminal, err := NewTerminal(io.Discard, io.Discard, false).WithLog("/dev/full")
	if err != nil {
		t.Skip(err)
	}
	terminal.Say("hello")
	if err := terminal.CloseLog(""); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}

// Where no bar can be drawn, a line at least every 30 seconds shows how far work
// is. Rates count what was computed since the previous line.
func TestLinesInPlaceOfABar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		b := NewBar(NewTerminal(nil, &stderr, false))
		draw := func(after time.Duration, w Work) {
			time.Sleep(after)
			b.Draw(w)
		}
		pass := Work{Phase: "features", Text: "frozen pass", Unit: "images", Total: 1000}
		b.Draw(pass)
		pass.Done, pass.Computed = 500, 0
		draw(9*time.Second, pass) // from the cache
		pass.Done, pass.Computed = 800, 300
		draw(20*time.Second, pass)
		draw(20*time.Second, pass)
		pass.Done, pass.Computed = 1000, 500
		draw(9*time.Second, pass)
		b.End()

		// The clock begins again after a message.
		time.Sleep(time.Minute)
		train := Work{Phase: "train", Text: "head epoch 1/2", Unit: "images", Total: 100000}
		draw(0, train)
		train.Done, train.Computed = 290, 290
		draw(29*time.Second, train)
		b.Draw(Work{Phase: "validate", Text: "validation", Unit: "images", Total: 50}) // but not after a phase
		time.Sleep(32 * time.Second)
		b.End()

		// Work of an unknown size.
		list := Work{Phase: "predict", Text: "predict", Unit: "images", Done: 64, Computed: 64}
		b.Draw(list)
		list.Done, list.Computed = 1264, 1264
		draw(5*time.Second, list)
		time.Sleep(time.Hour) // nobody writes to the list
		b.End()
		b.Draw(Work{Phase: "measure", Text: "computing metrics", Unit: "images"})
		time.Sleep(91 * time.Second)
		b.End()
		time.Sleep(time.Hour)
		want := `frozen pass: 800 of 1000 images, 10.0 images/s, 8 s left
validation: 0 of 50 images
validation: 0 of 50 images
predict: 1264 images, 40.0 images/s
computing metrics: 30 s so far
computing metrics: 60 s so far
computing metrics: 2 min so far
`
		if got := stderr.String(); got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	})
}

func TestNoLinesIfQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		b := NewBar(NewTerminal(nil, &stderr, true))
		b.Draw(Work{Phase: "train", Text: "training", Unit: "images", Total: 10})
		time.Sleep(time.Hour)
		b.End()
		if stderr.Len() > 0 {
			t.Error(stderr.String())
		}
	})
}

func TestTimeLeft(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0 s", 89 * time.Second: "89 s", 90 * time.Second: "2 min", 12*time.Minute + 20*time.Second: "12 min",
		59*time.Minute + 40*time.Second: "1 h 0 min", 26*time.Hour + 5*time.Minute: "26 h 5 min",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for r, want := range map[float64]string{0.0123: "0.012", 1: "1.0", 15.44: "15.4", 1234.5: "1234"} {
		if got := rate(r); got != want {
			t.Errorf("%g: %q, want %q", r, got, want)
		}
	}
}
