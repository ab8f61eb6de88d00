package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"tftl/internal/cuda"
	"tftl/internal/machine"
)

// small is a stand-in for a machine without limits.
func small() Host {
	return Host{
		Files:  fstest.MapFS{"tmp": &fstest.MapFile{Mode: fs.ModeDir}, "cache/a/b": &fstest.MapFile{Data: make([]byte, 3000)}},
		Env:    func(string) (string, bool) { return "0", true },
		Usable: func(string) error { return nil },
		Free:   func(string) int64 { return 50e9 },
		Left:   8e9, Total: 16e9, Limit: machine.Unknown, Quota: machine.Unknown, Processors: 8,
	}
}

func TestSystem(t *testing.T) {
	full := func(h *Host) { h.Free = func(string) int64 { return 1e6 } }
	refuse := func(h *Host) {
		h.Usable = func(dir string) error {
			return &fs.PathError{Op: "open", Path: dir, Err: errors.New("read-only file system")}
		}
	}
	library := func(version string) func(Host) Check {
		return func(Host) Check {
			return Library(TensorFlow{Version: version, Library: "/lib/libtensorflow.so"}, "2.21.0")
		}
	}
	missing := func(h Host) Check { return NoLibrary(h, "/bin/tftl", errors.New("it is not there"), "2.21.0") }
	kernels := func(instructions string) func(Host) Check {
		return func(h Host) Check { return Kernels(h, TensorFlow{Instructions: instructions}) }
	}
	threads := func(n int) func(Host) Check { return func(h Host) Check { return Threads(h, n) } }
	temporary := func(dir string) func(Host) Check { return func(h Host) Check { return Temporary(h, dir) } }
	cache := func(asked bool) func(Host) Check {
		return func(h Host) Check { return Cache(h, "/cache", 10e9, asked) }
	}
	for _, test := range []struct {
		name   string
		change func(*Host)
		check  func(Host) Check
		state  State
		found  string
		fix    string
	}{
		{"the same version", nil, library("2.21.0"), OK, "TensorFlow 2.21.0, /lib/libtensorflow.so", ""},
		{"another patch", nil, library("2.21.3"), OK, "TensorFlow 2.21.3, /lib/libtensorflow.so", ""},
		{"another version", nil, library("2.19.1"), Warning, "TensorFlow 2.19.1, but this program was made for 2.21: /lib/libtensorflow.so", "use TensorFlow 2.21; others have not been tried"},
		{
			"no library", func(h *Host) {
				h.Build = func(string) (cuda.Build, error) { return cuda.Build{Folders: []string{"/a", "/b"}}, nil }
			}, missing,
			Failed, "TensorFlow cannot be loaded: it is not there", "put the library of TensorFlow 2.21 into /a or /b, or name its folder in LD_LIBRARY_PATH",
		},
		{
			"no library, and no folder for it", func(h *Host) { h.Build = func(string) (cuda.Build, error) { return cuda.Build{}, errNotFound } }, missing,
			Failed, "TensorFlow cannot be loaded: it is not there", "name the folder with the library of TensorFlow 2.21 in LD_LIBRARY_PATH",
		},
		{"no name of the processor", nil, Processor, OK, "8 of " + runtime.GOARCH, ""},
		{"oneDNN", nil, kernels("avx2+onednn"), OK, "avx2, oneDNN on", ""},
		{"oneDNN is off", nil, kernels("avx2"), Warning, "avx2, oneDNN off by TF_ENABLE_ONEDNN_OPTS=0", "unset TF_ENABLE_ONEDNN_OPTS: networks are faster with oneDNN"},
		{
			"oneDNN is limited", nil, kernels("avx512+onednn:avx2"), Warning, "avx512, but oneDNN is limited by ONEDNN_MAX_CPU_ISA=avx2",
			"unset ONEDNN_MAX_CPU_ISA, unless results must agree with those of another processor",
		},
		{"memory", nil, Memory, OK, "8GB left of 16GB", ""},
		{"unknown memory", func(h *Host) { h.Left = machine.Unknown }, Memory, OK, "unknown", ""},
		{
			"little memory", func(h *Host) { h.Left, h.Limit = 1e9, 3e9 }, Memory, Warning, "1GB left of 16GB, limited to 3GB by the control group",
			"large networks need 2GB and more: end other programs, raise the limit, or use a small network and a small batch",
		},
		{"threads", nil, threads(0), OK, "8, one for each processor", ""},
		{"more threads than time", func(h *Host) { h.Quota = 1.5 }, threads(0), Warning, "8, one for each processor, but the control group allows the time of 1.5", "use --threads 2: more wait for each other"},
		{"as many threads as time", func(h *Host) { h.Quota = 1.5 }, threads(2), OK, "2", ""},
		{"temporary files", nil, temporary("/tmp"), OK, "/tmp, 50GB free", ""},
		{"no folder for them", nil, temporary("/nowhere"), Failed, "/nowhere: file does not exist", "name another folder in TMPDIR"},
		{"a folder that cannot be written", refuse, temporary("/tmp"), Failed, "/tmp: read-only file system", "name another folder in TMPDIR"},
		{"a full disk", full, temporary("/tmp"), Warning, "/tmp, 1MB free", "free some space, or name another folder in TMPDIR"},
		{"the cache", nil, cache(false), OK, "/cache, 3KB used of at most 10GB, 50GB free on its disk", ""},
		{"a full disk for the cache", full, cache(false), Warning, "/cache, 3KB used of at most 10GB, 1MB free on its disk", "free some space, or choose a folder on another disk with --cache-dir"},
		{"a cache that cannot be written", refuse, cache(false), Warning, "/cache: read-only file system", "features are computed in each run: choose a folder that can be written with --cache-dir"},
		{"one that was asked for", refuse, cache(true), Failed, "/cache: read-only file system", "choose a folder that can be written"},
	} {
		h := small()
		if test.change != nil {
			test.change(&h)
		}
		if got := test.check(h); got.State != test.state || got.Found != test.found || got.Fix != test.fix {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestProcessorWithoutAVX(t *testing.T) {
	const text = "processor\t: 0\nmodel name\t: Some Processor\nflags\t\t: fpu avx2 sse\n\nprocessor\t: 1\nflags\t\t: avx\n"
	h := small()
	h.Files = fstest.MapFS{"proc/cpuinfo": &fstest.MapFile{Data: []byte(text)}}
	c := Processor(h)
	if !strings.HasPrefix(c.Found, "8 of Some Processor") || runtime.GOARCH == "amd64" && c.State != Failed {
		t.Errorf("%+v", c)
	}
	h.Files = fstest.MapFS{"proc/cpuinfo": &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, "avx2", "avx"))}}
	if c := Processor(h); c.State != OK {
		t.Errorf("%+v", c)
	}
}

func TestUsable(t *testing.T) {
	here := t.TempDir()
	if err := usable(filepath.Join(here, "a", "b")); err != nil {
		t.Error(err)
	}
	file := filepath.Join(here, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if usable(dir) == nil {
			t.Errorf("%s can be used", dir)
		}
	}
	if left, _ := os.ReadDir(here); len(left) != 1 {
		t.Errorf("it left %v", left)
	}
}
