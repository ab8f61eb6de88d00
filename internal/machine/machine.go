// Package machine says how much memory, disk and processors' time this process may
// still use. It answers at the moment: other processes may take some of it meanwhile.
package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"tftl/internal/printable"
)

// Unknown is the answer if the system does not tell.
const Unknown = -1

// Memory is how many more bytes the process may use before the kernel kills it:
// what the machine has available, or what is left of its control group's limit.
func Memory() int64 { return memory(os.DirFS("/")) }

// Fits returns an error if so many bytes more than what the process has would not fit
// in memory, as far as the system tells.
func Fits(bytes int64) error {
	if left := Memory(); left != Unknown && bytes > left {
		return fmt.Errorf("not enough memory: %s more are needed, and %s are left", printable.Bytes(bytes), printable.Bytes(left))
	}
	return nil
}

// Disk is how many bytes are free for this user on the disk of a folder, which
// need not exist yet.
func Disk(folder string) int64 {
	var stat syscall.Statfs_t
	err := syscall.Statfs(folder, &stat)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(folder) != folder {
		return Disk(filepath.Dir(folder))
	}
	if err != nil {
		return Unknown
	}
	return int64(min(stat.Bavail, math.MaxInt64/uint64(stat.Bsize))) * int64(stat.Bsize) //nolint:unconvert // macOS has another type
}

// memory is Memory with the system's files below root.
func memory(root fs.FS) int64 {
	least := int64(Unknown)
	note := func(bytes int64, known bool) {
		if known && (least == Unknown || bytes < least) {
			least = max(bytes, 0)
		}
	}
	if kB, ok := field(root, "proc/meminfo", "MemAvailable:"); ok {
		note(kB*1024, true)
	}
	for _, g := range groups(root, "memory") {
		note(g.left(root))
	}
	return least
}

// field reads the number after a name in a file, or the file's only one if the
// name is empty. A limit of "max" is none.
func field(root fs.FS, file, name string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if name != "" && (len(words) == 0 || words[0] != name) {
			continue
		}
		if name != "" {
			words = words[1:]
		}
		if len(words) == 0 {
			continue
		}
		number, err := strconv.ParseInt(words[0], 10, 64)
		return number, err == nil
	}
	return 0, false
}
