package machine

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Total is the machine's memory.
func Total() int64 { return total(os.DirFS("/")) }

func total(root fs.FS) int64 {
	if kB, ok := field(root, "proc/meminfo", "MemTotal:"); ok {
		return kB * 1024
	}
	return Unknown
}

// Limit is how much memory the process's control groups allow it to use in all, or
// Unknown if that is no limit.
func Limit() int64 { return limit(os.DirFS("/")) }

func limit(root fs.FS) int64 {
	least := int64(Unknown)
	for _, g := range groups(root, "memory") {
		bytes, limited := field(root, path.Join(g.dir, g.files().limit), "")
		if all := total(root); limited && (all == Unknown || bytes < all) && (least == Unknown || bytes < least) {
			least = bytes
		}
	}
	return least
}

// Quota is how many processors' time the process's control groups allow it to use, such
// as 1.5, or Unknown if that is no limit.
func Quota() float64 { return quota(os.DirFS("/")) }

func quota(root fs.FS) float64 {
	least := float64(Unknown)
	for _, g := range groups(root, "cpu") {
		if share, limited := g.quota(root); limited && (least == Unknown || share < least) {
			least = share
		}
	}
	return least
}

// group is a control group.
type group struct {
	dir      string
	version2 bool
}

// groups lists the control groups that limit the process: its own and those around it.
// In a container the path may be one outside of it; its own group is then the mount.
func groups(root fs.FS, controller string) []group {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var list []group
	for line := range strings.Lines(string(text)) { // hierarchy:controllers:path
		words := strings.SplitN(strings.TrimSpace(line), ":", 3)
		var mount string
		switch {
		case len(words) < 3:
			continue
		case words[1] == "":
			mount = "sys/fs/cgroup"
		case slices.Contains(strings.Split(words[1], ","), controller):
			mount = path.Join("sys/fs/cgroup", controller)
		default:
			continue
		}
		for dir := path.Join(mount, words[2]); strings.HasPrefix(dir, mount); dir = path.Dir(dir) {
			list = append(list, group{dir, words[1] == ""})
		}
	}
	return list
}

// files names the files of a group that are about memory.
type files struct{ limit, usage, cache string }

func (g group) files() files {
	if g.version2 {
		return files{"memory.max", "memory.current", "inactive_file"}
	}
	return files{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
}

// left is the memory that is left in a group. Files that the kernel only caches count as
// used, but it drops those that are inactive first.
func (g group) left(root fs.FS) (bytes int64, known bool) {
	names := g.files()
	limit, limited := field(root, path.Join(g.dir, names.limit), "")
	usage, known := field(root, path.Join(g.dir, names.usage), "")
	cached, _ := field(root, path.Join(g.dir, "memory.stat"), names.cache)
	return limit - usage + cached, limited && known
}

// quota is the time that a group may use, in processors. There is none if it is "max", or
// -1 in version 1.
func (g group) quota(root fs.FS) (share float64, limited bool) {
	words := func(file string) []string {
		text, _ := fs.ReadFile(root, path.Join(g.dir, file))
		return strings.Fields(string(text))
	}
	pair := words("cpu.max")
	if !g.version2 {
		pair = slices.Concat(words("cpu.cfs_quota_us"), words("cpu.cfs_period_us"))
	}
	if len(pair) != 2 {
		return 0, false
	}
	time, err := strconv.ParseFloat(pair[0], 64)
	period, err2 := strconv.ParseFloat(pair[1], 64)
	return time / period, err == nil && err2 == nil && time > 0 && period > 0
}
