package machine

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func rootOf(files map[string]string) fs.FS {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func TestLimit(t *testing.T) {
	const meminfo = "MemTotal:       1000 kB\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"unknown", nil, Unknown},
		{"version 2", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/memory.max": "900000\n"}, 900000},
		{"version 2, none", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/memory.max": "max\n"}, Unknown},
		{"version 1", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "3:memory:/job\n0::/\n", "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "800000\n",
		}, 800000},
		{"version 1, none", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "3:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, Unknown},
	} {
		if got := limit(rootOf(test.files)); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	if got := total(rootOf(map[string]string{"proc/meminfo": meminfo})); got != 1000<<10 {
		t.Errorf("the machine has %d", got)
	}
}

func TestQuota(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  float64
	}{
		{"unknown", nil, Unknown},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.max": "150000 100000\n"}, 1.5},
		{"version 2, of a group around it", map[string]string{
			"proc/self/cgroup": "0::/user/job\n", "sys/fs/cgroup/user/job/cpu.max": "max 100000\n", "sys/fs/cgroup/user/cpu.max": "200000 100000\n",
		}, 2},
		{"version 2, none", map[string]string{"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.max": "max 100000\n"}, Unknown},
		{"version 1", map[string]string{
			"proc/self/cgroup": "4:cpu,cpuacct:/job\n", "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
		}, 0.5},
		{"version 1, none", map[string]string{
			"proc/self/cgroup": "4:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, Unknown},
	} {
		if got := quota(rootOf(test.files)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
