// Package doctor says whether this machine can do the work, and what to do if it cannot.
// It looks at the machine through a Host, so that its words can be tested on any. It
// changes nothing, and does not use TensorFlow: the caller says what that found.
package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"tftl/internal/cuda"
	"tftl/internal/machine"
)

// State says how a check went.
type State string

// The states of a check. Only what was asked for can fail; the rest is a warning.
const (
	OK      State = "ok"
	Warning State = "warning"
	Failed  State = "failed"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"` // what to do
}

// Host is the machine, as far as the checks look at it.
type Host struct {
	Files  fs.FS // below the root
	Env    func(name string) (value string, set bool)
	Load   func(name string) (path string, err error) // opens a library
	Driver func(path string) (cuda.Driver, error)
	Build  func(path string) (cuda.Build, error)
	Usable func(dir string) error // reports whether files can be written in a folder, or in one that is made there
	Free   func(dir string) int64

	Left, Total, Limit int64   // memory; machine.Unknown if the system does not tell
	Quota              float64 // of processors' time
	Processors         int
}

// Here is this machine.
func Here() Host {
	return Host{
		Files: os.DirFS("/"), Env: os.LookupEnv, Load: cuda.Load, Driver: cuda.Ask, Build: cuda.ReadBuild, Usable: usable, Free: machine.Disk,
		Left: machine.Memory(), Total: machine.Total(), Limit: machine.Limit(), Quota: machine.Quota(), Processors: runtime.NumCPU(),
	}
}

// TensorFlow is what is known of the library in use.
type TensorFlow struct {
	Library, Framework string // its files; see libtensorflow.Files
	Version            string
	Devices            []string // as TensorFlow lists them: CPU:0, GPU:0
	Failure            string   // of listing them, whatever was asked for; empty if there was none
	Instructions       string   // see savedmodels.Runtime
}

// AllOK reports whether everything that was asked for works.
func AllOK(checks []Check) bool { return len(failed(checks)) == 0 }

func failed(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.State != Failed })
}

// Names lists what failed.
func Names(checks []Check) string {
	var names []string
	for _, c := range failed(checks) {
		names = append(names, c.Name)
	}
	return strings.Join(slices.Compact(names), ", ")
}

// Hint is what failed and what to do, on one line.
func Hint(checks []Check) string {
	var parts []string
	for _, c := range failed(checks) {
		part := c.Name + ": " + c.Found
		if c.Fix != "" {
			part += " (" + c.Fix + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// list collects checks. What is bad fails if it was asked for.
type list struct {
	checks []Check
	asked  bool
}

func (l *list) ok(name, format string, args ...any) {
	l.checks = append(l.checks, Check{name, OK, fmt.Sprintf(format, args...), ""})
}

func (l *list) bad(name, found, fix string) {
	state := Warning
	if l.asked {
		state = Failed
	}
	l.checks = append(l.checks, Check{name, state, found, fix})
}

// and joins words as in a sentence.
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
