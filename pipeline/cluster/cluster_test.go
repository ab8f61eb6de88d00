package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// spelled is an error as the command line shows it.
func spelled(err error) string {
	return pipeline.ErrorText(err, func(o pipeline.Option) string { return "--" + string(o) })
}

func TestWhoTakesPart(t *testing.T) {
	two := `{"cluster":{"worker":["a:1","b:2"]},"task":{"type":"worker","index":1}}`
	for _, c := range []struct {
		spec      string
		task      int
		variables map[string]string
		want      string // String and addresses
	}{
		{"", -1, nil, "no cluster []"},
		{"", -1, map[string]string{"JOB_COMPLETION_INDEX": "3", "SLURM_PROCID": "1"}, "no cluster []"},
		{"", -1, map[string]string{"TF_CONFIG": two}, "2 tasks, this is worker 1 [a:1 b:2]"},
		{"", 0, map[string]string{"TF_CONFIG": two}, "2 tasks, this is worker 0, the chief [a:1 b:2]"},
		{"", -1, map[string]string{"TF_CONFIG": `{"cluster":{"worker":["a:1","b:2"]}}`, "JOB_COMPLETION_INDEX": "1"}, "2 tasks, this is worker 1 [a:1 b:2]"},
		{"", -1, map[string]string{"TF_CONFIG": `{"cluster":null,"task":null,"rpc_layer":null}`}, "no cluster []"},
		{"", -1, map[string]string{"TF_CONFIG": `{"cluster":{"chief":["a:1"],"worker":null,"ps":[],"other":[]},"task":{}}`}, "1 task, chief [a:1]"},
		{"", -1, map[string]string{"TF_CONFIG": `{"Cluster":{"worker":["a:1","b:2"]}}`}, "no cluster []"},
		{"", -1, map[string]string{"TF_CONFIG": `{"task":{"type":"evaluator","index":0}}`}, "this is an evaluator []"},
		{"a:1,b:2", 1, map[string]string{"TF_CONFIG": two, "JOB_COMPLETION_INDEX": "0"}, "2 tasks, this is worker 1 [a:1 b:2]"},
		{"train-[0-3].train:2222", -1, map[string]string{"JOB_COMPLETION_INDEX": "2"}, "4 tasks, this is worker 2 [train-0.train:2222 train-1.train:2222 train-2.train:2222 train-3.train:2222]"},
		{"10.0.0.[1-2,9]:2222", 0, nil, "3 tasks, this is worker 0, the chief [10.0.0.1:2222 10.0.0.2:2222 10.0.0.9:2222]"},
		{"localhost:[2222-2223]", 1, nil, "2 tasks, this is worker 1 [localhost:2222 localhost:2223]"},
		{"[fd00::1]:1,[fd00::2]:1", 1, nil, "2 tasks, this is worker 1 [[fd00::1]:1 [fd00::2]:1]"},
		{"rack[1-2]n[08-09]:1", 3, nil, "4 tasks, this is worker 3 [rack1n08:1 rack1n09:1 rack2n08:1 rack2n09:1]"},
		{"a:1", -1, nil, "1 task, worker 0 [a:1]"},
	} {
		got, err := Resolve(Options{Spec: c.spec, Task: c.task, Getenv: environment(c.variables)})
		if err != nil {
			t.Errorf("%s, %v: %v", c.spec, c.variables, err)
			continue
		}
		var list []string
		if got != nil {
			list = addresses(got)
		}
		if text := fmt.Sprint(got, " ", list); text != c.want {
			t.Errorf("%s, %v: %s, want %s", c.spec, c.variables, text, c.want)
		}
	}
}

func TestRefusedClusters(t *testing.T) {
	for _, c := range []struct{ spec, config, want string }{
		{"", `{"cluster":`, "TF_CONFIG: line 1 is no valid JSON: unexpected end of JSON input"},
		{"", "{\n\n'cluster':1}", `TF_CONFIG: line 3 is no valid JSON: invalid character '\''`},
		{"", `[]`, "TF_CONFIG: must be a JSON object"},
		{"", `{"cluster":["a:1"]}`, "TF_CONFIG: cluster must be an object of jobs"},
		{"", `{"cluster":{"worker":"a:1"}}`, `TF_CONFIG: job "worker": must be a list of addresses`},
		{"", `{"cluster":{"worker":["a:1",2]}}`, `TF_CONFIG: job "worker": must be a list of addresses`},
		{"", `{"cluster":{"worker":{"x":"a:1"}}}`, `TF_CONFIG: job "worker": index "x": must be a whole number`},
		{"", `{"cluster":{"worker":{"1":"a:1"}},"task":{"type":"worker","index":1}}`, `TF_CONFIG: job "worker": index 0 has no address`},
		{"", `{"cluster":{"chief":["a:1","b:1"]}}`, "TF_CONFIG: the cluster has 2 chiefs"},
		{"", `{"cluster":{"chief":["a:1"],"master":["b:1"]}}`, "TF_CONFIG: the cluster has 2 chiefs"},
		{"", `{"cluster":{"trainer\u001b[2J":["a:1"]}}`, `TF_CONFIG: job "trainer\x1b[2J": must be chief, master, worker or evaluator`},
		{"", `{"cluster":{"worker":["a:1","b:1"]}}`, "--task is missing: the cluster has 2 tasks"},
		{"", `{"cluster":{"worker":["a:1","b:1"]},"task":{"type":"worker","index":2}}`, "TF_CONFIG: this is task 2 of the job worker, which the cluster does not have"},
		{"", `{"cluster":{"worker":["a:1","b:1"]},"task":{"type":"chief","index":0}}`, "TF_CONFIG: this is task 0 of the job chief"},
		{"", `{"cluster":{"worker":["a:1","b:1"]},"task":{"type":"worker"}}`, "TF_CONFIG: task has no index"},
		{"", `{"cluster":{"worker":["a:1","b:1"]},"task":{"index":0}}`, "TF_CONFIG: task has no type"},
		{"", `{"cluster":{"worker":["a:1","b:1"]},"task":{"type":"worker","index":-1}}`, `TF_CONFIG: task has the index "-1"`},
		{"", `{"cluster":{"worker":["a:1","b:1"]},"task":"worker"}`, "TF_CONFIG: task must be an object"},
		{"", `{"cluster":{},"task":{"type":"worker","index":1}}`, "TF_CONFIG: this is worker 1, but the cluster has no tasks"},
		{"", `{"cluster":{"worker":["a:1","A.:1"]}}`, `TF_CONFIG: tasks 0 and 1 have the same address, "A.:1"`},
		{"", `{"cluster":{"worker":["a:0"]}}`, `TF_CONFIG: address "a:0": the port must be from 1 to 65535`},
		{"", `{"cluster":{"worker":["grpc://a:1"]}}`, `TF_CONFIG: address "grpc://a:1": must be HOST:PORT`},
		{"", `{"cluster":{"worker":["a:1","b:1"]},"rpc_layer":"grpc+verbs"}`, `TF_CONFIG: rpc_layer is "grpc+verbs": only grpc is possible`},
		{"", `{"cluster":{"worker":["` + strings.Repeat(`a:1","`, MaxTasks) + `a:1"]}}`, "TF_CONFIG: there are more than 1000 tasks"},
		{"", `{"job":"` + strings.Repeat("x", maxText) + `"}`, "TF_CONFIG: is longer than 1048576 bytes"},

		{"a:1,b:2", "", "--task is missing: the cluster has 2 tasks, and nothing says which one this is"},
		{"a:1,,b:2", "", `--cluster "a:1,,b:2": has an empty name`},
		{"a:1,b", "", `--cluster "a:1,b": address "b": must be HOST:PORT`},
		{"a:ssh", "", `--cluster "a:ssh": address "a:ssh": must be HOST:PORT`},
		{"a:65536", "", `the port must be from 1 to 65535`},
		{"fd00::1:2222", "", "must be HOST:PORT, with an IPv6 address in brackets"},
		{"[fe80::1%eth0]:1", "", `"fe80::1%eth0" is neither a host name nor an IP address`},
		{"[a]:1", "", `"a" is no range`},
		{"300.1.1.1:1", "", `"300.1.1.1" is neither a host name nor an IP address`},
		{"a b:1", "", `"a b" is neither a host name nor an IP address`},
		{"n[0-3:1", "", `brackets do not match in "n[0-3:1"`},
		{"n0-3]:1", "", `brackets do not match in "n0-3]:1"`},
		{"n[0-[1-2]]:1", "", "brackets do not match"},
		{"n[3-1]:1", "", `"3-1" is no range such as 0-3 in "n[3-1]:1"`},
		{"n[0-]:1", "", `"0-" is no range`},
		{"n[0-999999999]:1", "", "there are more than 1000 tasks"},
		{"n[0-31]m[0-31]:1", "", "there are more than 1000 tasks"},
		{"n[0-999]:1,m:1", "", "there are more than 1000 tasks"},
		{"a:1,a:01", "", "tasks 0 and 1 have the same address"},
		{"10.0.0.1:1,[::ffff:10.0.0.1]:1", "", "tasks 0 and 1 have the same address"},
		{"slurm", "", "--cluster slurm: SLURM_NTASKS is not set"},
		{"slurm:0", "", `--cluster "slurm:0": the port must be from 1 to 65535`},
		{"none.txt", "", "--cluster: open none.txt: no such file or directory"},
		{"./a:1", "", "--cluster: open ./a:1: no such file or directory"},
		{"testdata", "", "--cluster: testdata: is a folder, not a file"},
	} {
		got, err := Resolve(Options{Spec: c.spec, Task: -1, Getenv: environment(map[string]string{"TF_CONFIG": c.config})})
		if err == nil || !strings.Contains(spelled(err), c.want) || pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%s %.80s: %v, %v; want %q", c.spec, c.config, got, err, c.want)
		}
	}
	for task, want := range map[int]string{2: "--task 2: must be below 2, the number of tasks in the cluster", -1: `JOB_COMPLETION_INDEX "x": must be a whole number, 0 or more`} {
		_, err := Resolve(Options{Spec: "a:1,b:1", Task: task, Getenv: environment(map[string]string{"JOB_COMPLETION_INDEX": "x"})})
		if err == nil || spelled(err) != want {
			t.Errorf("task %d: %v, want %q", task, err, want)
		}
	}
	if _, err := Resolve(Options{Task: 1, Getenv: environment(nil)}); err == nil || spelled(err) != "--task 1: there is no cluster" {
		t.Errorf("a task without a cluster: %v", err)
	}
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	for _, c := range []struct {
		text string
		task int
		want string // String and addresses, or the error without the path
	}{
		{"# the chief first\n10.0.0.1:2222\n\n10.0.0.2:2222 # the fast one\r\n[fd00::3]:2222", 2, "3 tasks, this is worker 2 [10.0.0.1:2222 10.0.0.2:2222 [fd00::3]:2222]"},
		{"\ufeffa:1\n", -1, "1 task, worker 0 [a:1]"},
		{`{"cluster":{"chief":["a:1"],"worker":["b:1"]}}`, 1, "2 tasks, this is worker 0 [a:1 b:1]"},
		{`{"cluster":{"chief":["a:1"],"worker":["b:1"]},"task":{"type":"chief","index":"0"}}`, -1, "2 tasks, this is chief [a:1 b:1]"},
		{`{"cluster":{"chief":["a:1"],"worker":["b:1"]},"task":{"type":"chief","index":0}}`, 1, "2 tasks, this is worker 0 [a:1 b:1]"},
		{"\n{\"worker\":[\"a:1\",\"b:1\"]}\n", 0, "2 tasks, this is worker 0, the chief [a:1 b:1]"},
		{"a:1\nb\n", 0, `: line 2: address "b": must be HOST:PORT, with an IPv6 address in brackets`},
		{"node1 slots=4\n", 0, `: line 1: address "node1 slots=4": must be HOST:PORT, with an IPv6 address in brackets`},
		{"a:1\n\nb:1\nA:1\n", 0, `: line 4: address "A:1" is already on line 1`},
		{"{\"worker\":\n[\"a:1\",]}", 0, ": line 2 is no valid JSON: invalid character ']' looking for beginning of value"},
		{"\n# nothing\n", 0, ": has no addresses"},
		{"{}", 0, ": has no addresses"},
		{strings.Repeat("a:1\n", maxText/4+1), 0, ": has 1048580 bytes, more than the limit of 1048576"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Resolve(Options{Spec: path, Task: c.task, Getenv: environment(nil)})
		var text string
		if err != nil {
			_, text, _ = strings.Cut(err.Error(), path)
		} else {
			text = fmt.Sprint(got, " ", addresses(got))
		}
		if text != c.want || err != nil && pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%.60q: %v, %v; want %q", c.text, got, err, c.want)
		}
	}
}

// TensorFlow sorts nodes by their names as text, and so gives tasks the addresses of
// others: n10 before n9. Slurm numbers tasks in its own order.
func TestSlurmsOrderOfNodes(t *testing.T) {
	step := map[string]string{"SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_NODEID": "0", "SLURM_STEP_NODELIST": "n[9-10]", "SLURM_STEP_TASKS_PER_NODE": "1(x2)"}
	c, err := Resolve(Options{Spec: "slurm:9000", Task: -1, Getenv: environment(step)})
	if err != nil || !slices.Equal(addresses(c), []string{"n9:9000", "n10:9000"}) || !c.Chief() {
		t.Errorf("%v, %v", c, err)
	}
}

func TestBadSlurmSteps(t *testing.T) {
	for change, want := range map[string]string{
		"SLURM_PROCID=":                     "--cluster slurm: SLURM_PROCID is not set, so this is no task of a Slurm step",
		"SLURM_STEP_NODELIST=":              "--cluster slurm: SLURM_STEP_NODELIST is not set",
		"SLURM_STEP_TASKS_PER_NODE=":        "--cluster slurm: SLURM_STEP_TASKS_PER_NODE is not set",
		"SLURM_PROCID=x":                    `SLURM_PROCID: "x": must be a whole number`,
		"SLURM_PROCID=4":                    "SLURM_PROCID: is 4, but the step has 4 tasks",
		"SLURM_NTASKS=5":                    "SLURM_STEP_TASKS_PER_NODE: has 4 tasks, but the step has 5",
		"SLURM_STEP_NUM_NODES=3":            "SLURM_STEP_NUM_NODES: is 3, but SLURM_STEP_NODELIST has 2 nodes",
		"SLURM_STEP_TASKS_PER_NODE=4":       "SLURM_STEP_TASKS_PER_NODE: does not fit SLURM_STEP_NODELIST: 1 and 2 nodes",
		"SLURM_STEP_TASKS_PER_NODE=2x2":     `SLURM_STEP_TASKS_PER_NODE: "2x2" is no number of tasks such as 2 or 2(x3)`,
		"SLURM_STEP_TASKS_PER_NODE=2(x2":    `"2(x2" is no number of tasks`,
		"SLURM_STEP_TASKS_PER_NODE=9(x999)": "there are more than 1000 tasks",
		"SLURM_STEP_NODELIST=n[1-2":         `SLURM_STEP_NODELIST: brackets do not match`,
		"SLURM_STEP_NODELIST=n1,n1":         "SLURM_STEP_NODELIST: tasks 0 and 2 have the same address",
		"SLURM_STEP_NODELIST=n1,n;2":        `"n;2" is neither a host name nor an IP address`,
		// Numbered in turn (srun -m cyclic), task 2 runs on the first node.
		"SLURM_NODEID=0": "SLURM_PROCID: task 2 runs on node 0 of the step, where node by node it would be on node 1",
	} {
		step := map[string]string{"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_NODEID": "1", "SLURM_STEP_NODELIST": "n[1-2]", "SLURM_STEP_TASKS_PER_NODE": "2(x2)"}
		name, value, _ := strings.Cut(change, "=")
		step[name] = value
		c, err := Resolve(Options{Spec: "slurm", Task: -1, Getenv: environment(step)})
		if err == nil || !strings.Contains(spelled(err), want) || pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%s: %v, %v; want %q", change, c, err, want)
		}
	}
	_, err := Resolve(Options{Spec: "slurm", Task: 1, Getenv: environment(nil)})
	if err == nil || spelled(err) != "--task 1: Slurm numbers the tasks itself" {
		t.Error(err)
	}
}

func TestOneOrNoTask(t *testing.T) {
	var none *Cluster
	one := &Cluster{Tasks: []Task{{Name: "chief"}}}
	for _, c := range []*Cluster{none, one} {
		if c.Size() != 1 || !c.Alone() || !c.Chief() || !slices.Equal(c.Own(3, 2), []int{0, 1, 2}) || c.Owner(7, 2) != 0 {
			t.Errorf("%v", c)
		}
	}
	if c := (&Cluster{Evaluator: true}); c.Chief() {
		t.Error("an evaluator is the chief")
	}
}

// Every image has one owner, whatever the number of images and tasks.
func TestEveryImageHasOneOwner(t *testing.T) {
	for size := 1; size <= 5; size++ {
		for block := 1; block <= 4; block++ {
			for n := range 23 {
				owners := make([]int, n)
				for this := range size {
					c := &Cluster{Tasks: make([]Task, size), This: this}
					own := c.Own(n, block)
					if !slices.IsSorted(own) {
						t.Errorf("%v is not in order", own)
					}
					for _, i := range own {
						owners[i]++
						if c.Owner(i, block) != this {
							t.Errorf("%d tasks, blocks of %d: task %d has image %d of task %d", size, block, this, i, c.Owner(i, block))
						}
					}
				}
				if slices.ContainsFunc(owners, func(count int) bool { return count != 1 }) {
					t.Errorf("%d tasks, blocks of %d: %v owners", size, block, owners)
				}
			}
		}
	}
}
