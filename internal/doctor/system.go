package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"tftl/internal/machine"
	"tftl/internal/printable"
)

// Library checks the version of the library. made is the one that the program was made
// for.
func Library(tf TensorFlow, made string) Check {
	c := Check{"library", OK, fmt.Sprintf("TensorFlow %s, %s", tf.Version, tf.Library), ""}
	if minor(tf.Version) != minor(made) {
		c.State = Warning
		c.Found = fmt.Sprintf("TensorFlow %s, but this program was made for %s: %s", tf.Version, minor(made), tf.Library)
		c.Fix = "use TensorFlow " + minor(made) + "; others have not been tried"
	}
	return c
}

// NoLibrary is the check of a library that does not load. program is the file that looks
// for it.
func NoLibrary(h Host, program string, err error, made string) Check {
	fix := "name the folder with the library of TensorFlow " + minor(made) + " in LD_LIBRARY_PATH"
	if build, err := h.Build(program); err == nil && len(build.Folders) > 0 {
		fix = "put the library of TensorFlow " + minor(made) + " into " + strings.Join(build.Folders, " or ") + ", or name its folder in LD_LIBRARY_PATH"
	}
	return Check{"library", Failed, "TensorFlow cannot be loaded: " + err.Error(), fix}
}

// minor is a version without its patch: 2.21.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// Processor checks what TensorFlow needs of it to load.
func Processor(h Host) Check {
	name, flags := cpuinfo(h.Files)
	c := Check{"processor", OK, fmt.Sprintf("%d of %s", h.Processors, name), ""}
	if runtime.GOARCH == "amd64" && flags != "" && !strings.Contains(flags+" ", " avx ") {
		c.State = Failed
		c.Found += ", without AVX"
		c.Fix = "TensorFlow's packages need AVX: use a TensorFlow that is built without it, or let the virtual machine show it"
	}
	return c
}

// cpuinfo returns the name of the processor and its flags, each after a space, as far as
// the system tells.
func cpuinfo(files fs.FS) (name, flags string) {
	name = runtime.GOARCH
	text, _ := fs.ReadFile(files, "proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "flags":
			flags = " " + strings.TrimSpace(value)
		case "":
			return name, flags // the next processor
		}
	}
	return name, flags
}

// Kernels says what TensorFlow uses of the processor.
func Kernels(h Host, tf TensorFlow) Check {
	const switched, limited = "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA"
	set, kernels, on := strings.Cut(tf.Instructions, "+")
	_, limit, isLimited := strings.Cut(kernels, ":")
	c := Check{"instructions", OK, set + ", oneDNN on", ""}
	switch {
	case !on:
		value, _ := h.Env(switched)
		c.State, c.Found = Warning, fmt.Sprintf("%s, oneDNN off by %s=%s", set, switched, value)
		c.Fix = "unset " + switched + ": networks are faster with oneDNN"
	case isLimited:
		c.State, c.Found = Warning, fmt.Sprintf("%s, but oneDNN is limited by %s=%s", set, limited, limit)
		c.Fix = "unset " + limited + ", unless results must agree with those of another processor"
	}
	return c
}

// Memory checks how much is left.
func Memory(h Host) Check {
	const little = 2e9 // what training the head of a large network takes
	c := Check{"memory", OK, "unknown", ""}
	if h.Left == machine.Unknown {
		return c
	}
	c.Found = printable.Bytes(h.Left) + " left"
	if h.Total != machine.Unknown {
		c.Found += " of " + printable.Bytes(h.Total)
	}
	if h.Limit != machine.Unknown {
		c.Found += ", limited to " + printable.Bytes(h.Limit) + " by the control group"
	}
	if h.Left < little {
		c.State, c.Fix = Warning, "large networks need 2GB and more: end other programs, raise the limit, or use a small network and a small batch"
	}
	return c
}

// Threads checks that TensorFlow does not start more than can run. threads is what was
// asked for, 0 for one per processor.
func Threads(h Host, threads int) Check {
	c := Check{"threads", OK, fmt.Sprint(threads), ""}
	if threads == 0 {
		threads = h.Processors
		c.Found = fmt.Sprintf("%d, one for each processor", threads)
	}
	if allowed := int(math.Ceil(h.Quota)); h.Quota != machine.Unknown && threads > allowed {
		c.State, c.Found = Warning, fmt.Sprintf("%s, but the control group allows the time of %.3g", c.Found, h.Quota)
		c.Fix = fmt.Sprintf("use --threads %d: more wait for each other", allowed)
	}
	return c
}

// Temporary checks the folder for temporary files.
func Temporary(h Host, dir string) Check {
	const little = 100e6
	free := h.Free(dir)
	c := Check{"temporary files", OK, fmt.Sprintf("%s, %s free", dir, size(free)), ""}
	_, err := fs.Stat(h.Files, belowRoot(dir))
	if err == nil {
		err = h.Usable(dir)
	}
	if err != nil {
		c.State, c.Found, c.Fix = Failed, dir+": "+reason(err), "name another folder in TMPDIR"
	} else if free != machine.Unknown && free < little {
		c.State, c.Fix = Warning, "free some space, or name another folder in TMPDIR"
	}
	return c
}

// Cache checks the folder of the feature cache. asked says that the user chose it;
// otherwise features are kept in memory if it cannot be used.
func Cache(h Host, dir string, limit int64, asked bool) Check {
	const little = 1e9
	used, free := usage(h.Files, dir), h.Free(dir)
	c := Check{"feature cache", OK, fmt.Sprintf("%s, %s used of at most %s, %s free on its disk", dir, size(used), size(limit), size(free)), ""}
	if err := h.Usable(dir); err != nil {
		c.State, c.Found = Warning, fmt.Sprintf("%s: %s", dir, reason(err))
		c.Fix = "features are computed in each run: choose a folder that can be written with --cache-dir"
		if asked {
			c.State, c.Fix = Failed, "choose a folder that can be written"
		}
	} else if free != machine.Unknown && free < min(limit-used, little) {
		c.State, c.Fix = Warning, "free some space, or choose a folder on another disk with --cache-dir"
	}
	return c
}

// NoCache is the check of a cache that has no folder.
func NoCache(err error) Check {
	return Check{"feature cache", Warning, "there is no folder for it: " + err.Error(), "features are computed in each run: choose a folder with --cache-dir"}
}

func size(bytes int64) string {
	if bytes == machine.Unknown {
		return "an unknown number of bytes"
	}
	return printable.Bytes(bytes)
}

// belowRoot is a folder's name in a file system of the whole machine. Without a current
// folder, it is none that exists.
func belowRoot(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	return strings.TrimPrefix(absolute, "/")
}

// usage is the size of the files below a folder, as far as they can be seen.
func usage(files fs.FS, dir string) int64 {
	var bytes int64
	_ = fs.WalkDir(files, belowRoot(dir), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it may be there for others only
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

// usable writes a file where the folder is or would be made.
func usable(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir:
		return usable(filepath.Dir(dir))
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder")}
	}
	file, err := os.CreateTemp(dir, ".tftl-doctor-")
	if err != nil {
		return err
	}
	file.Close()
	return os.Remove(file.Name())
}
