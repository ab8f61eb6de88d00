package machine

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

func TestMemory(t *testing.T) {
	const meminfo = "MemTotal:       24105 kB\nMemFree:         100 kB\nMemAvailable:   2000 kB\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"unknown", nil, Unknown},
		{"no group", map[string]string{"proc/meminfo": meminfo}, 2000 << 10},
		{"version 2", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/job\n",
			"sys/fs/cgroup/job/memory.max": "900000\n", "sys/fs/cgroup/job/memory.current": "500000\n",
			"sys/fs/cgroup/job/memory.stat": "anon 400000\nactive_file 1\ninactive_file 100000\n",
		}, 500000},
		{"version 2, no limit", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/job\n",
			"sys/fs/cgroup/job/memory.max": "max\n", "sys/fs/cgroup/job/memory.current": "500000\n",
		}, 2000 << 10},
		{"version 2, limit of a group around it", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/job\n",
			"sys/fs/cgroup/user/job/memory.max": "900000\n", "sys/fs/cgroup/user/job/memory.current": "500000\n",
			"sys/fs/cgroup/user/memory.max": "600000\n", "sys/fs/cgroup/user/memory.current": "550000\n",
		}, 50000},
		{"version 2, in a container whose path is that of the host", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/docker/4711\n",
			"sys/fs/cgroup/memory.max": "900000\n", "sys/fs/cgroup/memory.current": "800000\n",
		}, 100000},
		{"version 1", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "4:cpu:/job\n3:memory:/job\n0::/\n",
			"sys/fs/cgroup/memory/job/memory.limit_in_bytes": "900000\n", "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "950000\n",
		}, 0},
		{"version 1, no limit", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "3:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "7\n",
		}, 2000 << 10},
	} {
		root := fstest.MapFS{}
		for name, text := range test.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memory(root); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestDiskOfAFolderThatDoesNotExistYet(t *testing.T) {
	here := t.TempDir()
	if got := Disk(filepath.Join(here, "a", "b")); got < 0 {
		t.Errorf("unknown: %d", got)
	}
	file := filepath.Join(here, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Disk(filepath.Join(file, "a")); got != Unknown {
		t.Errorf("below a file: %d", got)
	}
}
