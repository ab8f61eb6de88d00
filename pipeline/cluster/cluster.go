// Package cluster says who takes part in a run on several machines: from TF_CONFIG,
// from Slurm, from a list of addresses or from a file. It also says at which address
// this task listens, and which images are whose.
//
// Peers are the tasks at work: they exchange what all of them need, watch each other,
// and end together. They speak through a Link. The package starts no server, opens no
// connection, and knows nothing of TensorFlow.
package cluster

import (
	"fmt"
	"strings"

	"tftl/internal/printable"
	"tftl/pipeline"
)

// MaxTasks is the most tasks of a cluster.
const MaxTasks = 1_000

// Cluster is the tasks that train together. A nil one is a run on its own.
type Cluster struct {
	Tasks []Task // the chief, then the workers by index
	This  int    // which of them this process is
	// Evaluator is set if this process is a task of the job evaluator, which takes no
	// part: the chief validates. Tasks is empty then.
	Evaluator bool
}

// Task is one process of a cluster.
type Task struct {
	// Name is its job and index where the cluster was described, such as "chief" or
	// "worker 1". In a cluster of workers only, "worker 0" is the chief.
	Name    string
	Address string // HOST:PORT; empty under Slurm if the task is alone
}

// Size returns the number of tasks, which is at least one.
func (c *Cluster) Size() int {
	if c == nil {
		return 1
	}
	return max(1, len(c.Tasks))
}

// Chief reports whether this process is the chief, who keeps the run.
func (c *Cluster) Chief() bool { return c == nil || !c.Evaluator && c.This == 0 }

// Alone reports whether this process trains without others, so that it needs no
// server and no collective. An evaluator does not train at all.
func (c *Cluster) Alone() bool { return c.Size() == 1 }

// String describes the cluster in a message.
func (c *Cluster) String() string {
	switch {
	case c == nil || len(c.Tasks) == 0 && !c.Evaluator:
		return "no cluster"
	case c.Evaluator:
		return "this is an evaluator"
	case len(c.Tasks) == 1:
		return fmt.Sprintf("1 task, %s", c.Tasks[0].Name)
	case c.This == 0 && strings.HasPrefix(c.Tasks[0].Name, "worker "):
		return fmt.Sprintf("%d tasks, this is %s, the chief", len(c.Tasks), c.Tasks[0].Name)
	}
	return fmt.Sprintf("%d tasks, this is %s", len(c.Tasks), c.Tasks[c.This].Name)
}

// Options is what was asked for.
type Options struct {
	// Spec is "slurm" or "slurm:PORT", a list of addresses, or the name of a file. If
	// it is empty, TF_CONFIG counts.
	Spec   string
	Task   int                 // the number of this task; -1 if nothing was said
	Getenv func(string) string // os.Getenv
}

// Resolve finds the cluster and this task's place in it. It returns nil if there is
// none. A spec with a colon and without a slash is a list of addresses; any other is
// a file.
func Resolve(o Options) (*Cluster, error) {
	port, slurm, err := slurmPort(o.Spec)
	switch {
	case err != nil:
		return nil, err
	case o.Spec == "":
		return fromEnvironment(o)
	case slurm && o.Task >= 0:
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s %d: Slurm numbers the tasks itself", pipeline.Option("task"), o.Task)
	case slurm:
		return fromSlurm(o.Getenv, port)
	case strings.Contains(o.Spec, ":") && !strings.Contains(o.Spec, "/"):
		addresses, err := expand(o.Spec)
		if err == nil {
			err = check(addresses)
		}
		if err != nil {
			return nil, pipeline.Errorf(pipeline.BadUsage, "%s %s: %w", pipeline.Option("cluster"), shown(o.Spec), err)
		}
		return o.place(workers(addresses))
	}
	return fromFile(o)
}

// workers names the tasks of a list of addresses.
func workers(addresses []string) *Cluster {
	c := &Cluster{}
	for i, address := range addresses {
		c.Tasks = append(c.Tasks, Task{Name: workerName(i), Address: address})
	}
	return c
}

func workerName(index int) string { return fmt.Sprintf("worker %d", index) }

// place finds this task in a cluster whose description does not say which one it is.
func (o Options) place(c *Cluster) (*Cluster, error) {
	const variable = "JOB_COMPLETION_INDEX"
	number, from := o.Task, any(pipeline.Option("task"))
	if number < 0 {
		from = variable
		switch text := o.Getenv(variable); {
		case text != "":
			var ok bool
			if number, ok = whole(text); !ok {
				return nil, pipeline.Errorf(pipeline.BadUsage, "%s %s: must be a whole number, 0 or more", from, shown(text))
			}
		case len(c.Tasks) == 1:
			return c, nil
		default:
			err := pipeline.Errorf(pipeline.BadUsage, "%s is missing: the cluster has %d tasks, and nothing says which one this is", pipeline.Option("task"), len(c.Tasks))
			return nil, pipeline.WithHint(err, "give each task its number, from 0 for the chief to %d; in an Indexed Job of Kubernetes, JOB_COMPLETION_INDEX is it", len(c.Tasks)-1)
		}
	}
	if number >= len(c.Tasks) {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s %d: must be below %d, the number of tasks in the cluster", from, number, len(c.Tasks))
	}
	c.This = number
	return c, nil
}

// wrong gives an error the kind of a request that makes no sense.
func wrong(err error) error {
	return pipeline.Errorf(pipeline.BadUsage, "%w", err)
}

// shown quotes text from outside, and cuts it short, for a message.
func shown(text string) string { return fmt.Sprintf("%q", printable.Shorten(text, 80)) }
