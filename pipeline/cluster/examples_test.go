package cluster

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// resolvers is what TensorFlow's own resolvers make of the examples in testdata.
type resolvers struct {
	TFConfig map[string]resolved `json:"tf_config"`
	Slurm    map[string]resolved
	Hosts    map[string][]string
	Counts   map[string][]int
}

type resolved struct {
	Jobs    map[string]json.RawMessage
	Place   int
	Tasks   int
	Chief   bool
	Refused string // what MultiWorkerMirroredStrategy would say
}

// addresses lists those of the chief and the workers.
func (r resolved) addresses(t *testing.T) []string {
	var all []string
	for _, job := range []string{"chief", "master", "worker"} {
		var some []string
		if raw := r.Jobs[job]; raw != nil {
			if err := json.Unmarshal(raw, &some); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, some...)
	}
	return all
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func tensorFlow(t *testing.T) (r resolvers) {
	t.Helper()
	readJSON(t, "testdata/resolvers.json", &r)
	return r
}

// environment is a Getenv of these variables.
func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func addresses(c *Cluster) []string {
	var list []string
	for _, task := range c.Tasks {
		list = append(list, task.Address)
	}
	return list
}

// examples lists the files of a folder of testdata by their names.
func examples(t *testing.T, folder string, known int) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/" + folder + "/*.json")
	if err != nil || len(paths) != known {
		t.Fatalf("%s: %d examples, want the %d of resolvers.json; run resolvers.py", folder, len(paths), known)
	}
	return paths
}

// Each example of TF_CONFIG is taken as it stands, or refused for a reason, and those
// that are taken mean what they mean to TensorFlow.
func TestTFConfigOfOthers(t *testing.T) {
	want := map[string]string{ // by its String, or a part of the error
		"ai-platform-alone":      "1 task, chief",
		"ai-platform-master":     "3 tasks, this is worker 1",
		"distribute-chief":       "3 tasks, this is worker 1",
		"distribute-ps":          "TF_CONFIG: there are no parameter servers (ps) here, but the cluster has 2",
		"distribute-workers":     "2 tasks, this is worker 1",
		"empty":                  "no cluster",
		"empty-cluster":          "no cluster",
		"one-worker":             "1 task, worker 0",
		"one-worker-no-task":     "1 task, worker 0",
		"sparse":                 "4 tasks, this is worker 2",
		"sparse-gap":             `TF_CONFIG: job "worker": index 0 has no address`,
		"tfjob-chief":            "3 tasks, this is worker 1",
		"tfjob-domain":           "2 tasks, this is chief",
		"tfjob-dynamic":          "TF_CONFIG: has a sparseCluster, which lacks the addresses of the other workers",
		"tfjob-evaluator":        "this is an evaluator",
		"tfjob-evaluator-listed": "3 tasks, this is worker 0",
		"tfjob-master":           "3 tasks, this is master",
		"tfjob-ps":               "TF_CONFIG: there are no parameter servers (ps) here, but this task is one",
		"tfjob-ps-worker":        "TF_CONFIG: there are no parameter servers (ps) here, but the cluster has 1",
		"tfjob-workers":          "3 tasks, this is worker 0, the chief",
		"vertex":                 "3 tasks, this is worker 0",
		"vertex-cluster-spec":    `TF_CONFIG: task has the type "workerpool0": must be chief, master, worker or evaluator`,
		"vertex-ps":              "TF_CONFIG: there are no parameter servers (ps) here, but the cluster has 1",
	}
	tensorFlow := tensorFlow(t).TFConfig
	for _, path := range examples(t, "tf_config", len(tensorFlow)) {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		theirs := tensorFlow[name]
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Resolve(Options{Task: -1, Getenv: environment(map[string]string{"TF_CONFIG": string(text)})})
		switch {
		case err != nil:
			if want[name] == "" || !strings.HasPrefix(err.Error(), want[name]) || pipeline.KindOf(err) != pipeline.BadUsage {
				t.Errorf("%s: %v, want %q", name, err, want[name])
			}
		case c.String() != want[name]:
			t.Errorf("%s: %v, want %q", name, c, want[name])
		case c == nil || c.Evaluator:
		default:
			if all := theirs.addresses(t); !slices.Equal(addresses(c), all) {
				t.Errorf("%s: %v, TensorFlow has %v", name, addresses(c), all)
			}
			if theirs.Refused == "" && theirs.Tasks > 0 && (c.Size() != theirs.Tasks || c.This != theirs.Place || c.Chief() != theirs.Chief) {
				t.Errorf("%s: %d tasks, this is %d, chief %t; TensorFlow has %+v", name, c.Size(), c.This, c.Chief(), theirs)
			}
		}
	}
}

// A step of Slurm is the cluster that TensorFlow makes of it.
func TestSlurmIsTensorFlows(t *testing.T) {
	tensorFlow := tensorFlow(t).Slurm
	for _, path := range examples(t, "slurm", len(tensorFlow)) {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		theirs := tensorFlow[name]
		variables := map[string]string{}
		readJSON(t, path, &variables)
		c, err := Resolve(Options{Spec: "slurm", Task: -1, Getenv: environment(variables)})
		switch {
		case err != nil || c.This != theirs.Place:
			t.Errorf("%s: %v, %v; TensorFlow has %+v", name, c, err, theirs)
		case c.Alone() != (len(theirs.addresses(t)) == 1):
			t.Errorf("%s: alone %t", name, c.Alone())
		case !c.Alone() && !slices.Equal(addresses(c), theirs.addresses(t)):
			t.Errorf("%s: %v, TensorFlow has %v", name, addresses(c), theirs.addresses(t))
		}
	}
}

func TestHostListsAreTensorFlows(t *testing.T) {
	tensorFlow := tensorFlow(t)
	for _, text := range slices.Sorted(maps.Keys(tensorFlow.Hosts)) {
		if got, err := expand(text); err != nil || !slices.Equal(got, tensorFlow.Hosts[text]) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, tensorFlow.Hosts[text])
		}
	}
	for _, text := range slices.Sorted(maps.Keys(tensorFlow.Counts)) {
		if got, err := expandCounts(text); err != nil || !slices.Equal(got, tensorFlow.Counts[text]) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, tensorFlow.Counts[text])
		}
	}
	if len(tensorFlow.Hosts) < 5 || len(tensorFlow.Counts) < 5 {
		t.Errorf("%d host lists, %d counts", len(tensorFlow.Hosts), len(tensorFlow.Counts))
	}
}

// What docs/cluster.md shows is what happens.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	lists, documents := 0, 0
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+:[^`]+)` \\| (`[^|]+) \\|$").FindAllStringSubmatch(string(data), -1) {
		lists++
		c, err := Resolve(Options{Spec: row[1], Task: 0, Getenv: environment(nil)})
		if err != nil || "`"+strings.Join(addresses(c), "`, `")+"`" != row[2] {
			t.Errorf("%s: %v, %v; want %s", row[1], c, err, row[2])
		}
	}
	for _, block := range regexp.MustCompile("(?s)```(?:json|text)\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		documents++
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Resolve(Options{Spec: path, Task: 1, Getenv: environment(nil)}); err != nil || c.Size() < 2 {
			t.Errorf("%s: %v, %v", block[1], c, err)
		}
	}
	if lists != 5 || documents != 3 {
		t.Errorf("%d lists, %d documents", lists, documents)
	}
}
