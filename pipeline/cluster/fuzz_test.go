package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/internal/printable"
	"tftl/pipeline"
)

// sound checks what a caller relies on.
func sound(t *testing.T, c *Cluster, err error) {
	t.Helper()
	switch {
	case err != nil:
		if pipeline.KindOf(err) != pipeline.BadUsage || len(err.Error()) > 1000 || printable.Text(err.Error()) != err.Error() {
			t.Errorf("error %q", err)
		}
	case c == nil || c.Evaluator:
	case len(c.Tasks) < 1 || len(c.Tasks) > MaxTasks || c.This < 0 || c.This >= len(c.Tasks):
		t.Errorf("%d tasks, this is %d", len(c.Tasks), c.This)
	default:
		if err := check(addresses(c)); err != nil && c.Tasks[0].Address != "" {
			t.Error(err)
		}
	}
}

func FuzzTFConfig(f *testing.F) {
	paths, err := filepath.Glob("testdata/tf_config/*.json")
	if err != nil || len(paths) < 10 {
		f.Fatalf("%d examples, %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, -1)
	}
	f.Add([]byte(`{"cluster":{"worker":{"0":"a:1","01":"b:2"}},"task":{"type":"worker","index":"\u0031"},"rpc_layer":"grpc"}`), 1)
	f.Add([]byte("a:1\r\n[::1]:2 # x\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, task int) {
		c, err := Resolve(Options{Task: task, Getenv: environment(map[string]string{"TF_CONFIG": string(text)})})
		sound(t, c, err)
		list, err := parseLines(text)
		if err != nil {
			sound(t, nil, wrong(err))
		} else if len(list) > strings.Count(string(text), "\n")+1 || check(list) != nil {
			t.Errorf("addresses %q", list)
		}
	})
}

func FuzzHostList(f *testing.F) {
	for _, list := range []string{"t02n[13,41-43,45-46],m1", "train-[0-3].train:2222", "[fd00::1]:[1-2]", "n[0-999999999],[", "r[1-2]n[08-10]:1"} {
		f.Add(list, "2(x3),1", "0")
	}
	f.Fuzz(func(t *testing.T, list, counts, this string) {
		if names, err := expand(list); err != nil {
			if names != nil {
				t.Errorf("%q beside %v", names, err)
			}
		} else {
			again, err := expand(strings.Join(names, ","))
			if len(names) > MaxTasks || err != nil || !slices.Equal(names, again) {
				t.Errorf("%q, and again %q, %v", names, again, err)
			}
		}
		get := environment(map[string]string{"SLURM_NTASKS": "7", "SLURM_PROCID": this, "SLURM_NODEID": this, "SLURM_STEP_NODELIST": list, "SLURM_STEP_TASKS_PER_NODE": counts, "JOB_COMPLETION_INDEX": this})
		c, err := Resolve(Options{Spec: "slurm", Task: -1, Getenv: get})
		sound(t, c, err)
		if strings.Contains(list, ":") && !strings.Contains(list, "/") {
			c, err := Resolve(Options{Spec: list, Task: -1, Getenv: get})
			sound(t, c, err)
		}
	})
}
