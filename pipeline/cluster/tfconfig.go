package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"tftl/internal/printable"
	"tftl/pipeline"
)

// config is a cluster in the form of TF_CONFIG.
type config struct {
	source string // what to call it in errors: TF_CONFIG or a file
	tasks  []job  // the chief, then the workers
	task   job    // this one; its name is empty if nothing says which it is
}

// job is a task of a job, such as worker 1.
type job struct {
	name    string
	index   int
	address string
}

func (j job) String() string {
	if j.name == "worker" {
		return workerName(j.index)
	}
	return j.name
}

// The jobs of TensorFlow's clusters. Estimators called the chief master.
const (
	chiefJob     = "chief"
	masterJob    = "master"
	workerJob    = "worker"
	serverJob    = "ps"
	evaluatorJob = "evaluator"
)

// fromEnvironment is the cluster of TF_CONFIG, if it is set.
func fromEnvironment(o Options) (*Cluster, error) {
	const variable = "TF_CONFIG"
	var c *Cluster
	if text := o.Getenv(variable); text != "" {
		parsed, err := parseConfig(variable, []byte(text))
		if err != nil {
			return nil, err
		}
		if c, err = parsed.cluster(o); err != nil {
			return nil, err
		}
	}
	if c == nil && o.Task >= 0 {
		err := pipeline.Errorf(pipeline.BadUsage, "%s %d: there is no cluster", pipeline.Option("task"), o.Task)
		return nil, pipeline.WithHint(err, "say who takes part with %s, or set TF_CONFIG", pipeline.Option("cluster"))
	}
	return c, nil
}

// parseConfig reads a cluster in the form of TF_CONFIG. Like TensorFlow, it ignores
// keys that it does not know. A file may hold the object at cluster alone.
func parseConfig(source string, data []byte) (config, error) {
	c := config{source: source}
	if len(data) > maxText {
		return c, c.errorf("is longer than %d bytes", maxText)
	}
	var document map[string]json.RawMessage
	if err := json.Unmarshal(data, &document); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + bytes.Count(data[:min(len(data), int(syntax.Offset))], []byte("\n"))
			return c, c.errorf("line %d is no valid JSON: %w", line, err)
		}
		return c, c.errorf("must be a JSON object")
	}
	if _, ok := document["sparseCluster"]; ok {
		err := c.errorf("has a sparseCluster, which lacks the addresses of the other workers")
		return c, pipeline.WithHint(err, "turn enableDynamicWorker off in the TFJob")
	}
	if layer := string(document["rpc_layer"]); layer != "" && layer != "null" && layer != `"grpc"` {
		return c, c.errorf("rpc_layer is %s: only grpc is possible", printable.Shorten(printable.Text(layer), 80))
	}
	jobs := document["cluster"]
	if jobs == nil && document["task"] == nil && source != "TF_CONFIG" {
		jobs = data
	}
	if err := c.parseTask(document["task"]); err != nil {
		return c, err
	}
	return c, c.parseJobs(jobs)
}

func (c *config) errorf(format string, args ...any) error {
	return wrong(fmt.Errorf("%s: "+format, append([]any{c.source}, args...)...))
}

// parseTask reads {"type": "worker", "index": 1}. The index may be a string.
func (c *config) parseTask(raw json.RawMessage) error {
	var fields map[string]json.RawMessage
	if raw == nil || json.Unmarshal(raw, &fields) == nil && fields["type"] == nil && fields["index"] == nil {
		return nil
	}
	if fields == nil {
		return c.errorf("task must be an object with type and index")
	}
	if json.Unmarshal(fields["type"], &c.task.name) != nil {
		return c.errorf("task has no type such as %q", workerJob)
	}
	switch c.task.name {
	case chiefJob, masterJob, workerJob, evaluatorJob:
	case serverJob:
		return c.server("this task is one")
	default:
		return c.errorf("task has the type %s: must be chief, master, worker or evaluator", shown(c.task.name))
	}
	text := string(fields["index"])
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	if text == "" {
		return c.errorf("task has no index")
	}
	var ok bool
	if c.task.index, ok = whole(text); !ok {
		return c.errorf("task has the index %s: must be a whole number, 0 or more", shown(text))
	}
	return nil
}

// server is the error about parameter servers.
func (c *config) server(what string) error {
	err := c.errorf("there are no parameter servers (ps) here, but %s", what)
	return pipeline.WithHint(err, "describe a cluster of workers, or of a chief and workers, as for MultiWorkerMirroredStrategy")
}

// parseJobs reads the addresses of each job.
func (c *config) parseJobs(raw json.RawMessage) error {
	var jobs map[string]json.RawMessage
	if raw != nil && json.Unmarshal(raw, &jobs) != nil {
		return c.errorf("cluster must be an object of jobs and their addresses")
	}
	found := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(jobs)) {
		addresses, err := parseAddresses(jobs[name])
		switch {
		case err != nil:
			return c.errorf("job %s: %w", shown(name), err)
		case len(addresses) == 0 || name == evaluatorJob:
		case name == serverJob:
			return c.server(fmt.Sprintf("the cluster has %d", len(addresses)))
		case name != chiefJob && name != masterJob && name != workerJob:
			return c.errorf("job %s: must be chief, master, worker or evaluator", shown(name))
		default:
			found[name] = addresses
		}
	}
	chiefs := len(found[chiefJob]) + len(found[masterJob])
	if chiefs > 1 {
		return c.errorf("the cluster has %d chiefs: chief and master together may have one task", chiefs)
	}
	var all []string
	for _, name := range []string{chiefJob, masterJob, workerJob} {
		for i, address := range found[name] {
			c.tasks = append(c.tasks, job{name, i, address})
			all = append(all, address)
		}
	}
	if len(all) > MaxTasks {
		return c.errorf("%w", tooMany())
	}
	if err := check(all); err != nil {
		return c.errorf("%w", err)
	}
	return nil
}

// parseAddresses reads the addresses of a job: a list, or an object with an index for
// each. Without an address for every index nobody could reach the others.
func parseAddresses(raw json.RawMessage) ([]string, error) {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	var sparse map[string]string
	if json.Unmarshal(raw, &sparse) != nil {
		return nil, errors.New("must be a list of addresses, or an object of indexes and addresses")
	}
	if len(sparse) > MaxTasks {
		return nil, tooMany()
	}
	byIndex := map[int]string{}
	for key, address := range sparse {
		index, ok := whole(key)
		if !ok {
			return nil, fmt.Errorf("index %s: must be a whole number, 0 or more", shown(key))
		}
		byIndex[index] = address
	}
	for i := range len(sparse) {
		address, ok := byIndex[i]
		if !ok {
			return nil, fmt.Errorf("index %d has no address; every task needs the addresses of all", i)
		}
		list = append(list, address)
	}
	return list, nil
}

// cluster finds this task among the others. It returns nil if the cluster is empty.
func (c config) cluster(o Options) (*Cluster, error) {
	if c.task.name == evaluatorJob && o.Task < 0 {
		return &Cluster{Evaluator: true}, nil
	}
	if len(c.tasks) == 0 {
		if c.task.index > 0 {
			return nil, c.errorf("this is %v, but the cluster has no tasks", c.task)
		}
		return nil, nil
	}
	all := &Cluster{}
	for _, t := range c.tasks {
		all.Tasks = append(all.Tasks, Task{Name: t.String(), Address: t.address})
	}
	if o.Task >= 0 || c.task.name == "" {
		return o.place(all)
	}
	all.This = slices.IndexFunc(c.tasks, func(t job) bool { return t.name == c.task.name && t.index == c.task.index })
	if all.This < 0 {
		return nil, c.errorf("this is task %d of the job %s, which the cluster does not have", c.task.index, c.task.name)
	}
	return all, nil
}
