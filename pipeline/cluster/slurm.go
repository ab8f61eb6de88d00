package cluster

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// slurmBase is the port of the first task of a node, as in TensorFlow's
// SlurmClusterResolver.
const slurmBase = 8888

// slurmPort recognises slurm and slurm:PORT.
func slurmPort(spec string) (port int, ok bool, err error) {
	name, text, given := strings.Cut(spec, ":")
	if name != "slurm" {
		return 0, false, nil
	}
	if !given {
		return slurmBase, true, nil
	}
	if port, ok = whole(text); !ok || port < 1 || port > 65535 {
		return 0, false, pipeline.Errorf(pipeline.BadUsage, "%s %s: the port must be from 1 to 65535", pipeline.Option("cluster"), shown(spec))
	}
	return port, true, nil
}

// fromSlurm is the cluster of a job step. Its tasks are numbered node by node, in
// Slurm's order of the nodes; those of a node have the port and the ones after it.
func fromSlurm(getenv func(string) string, port int) (*Cluster, error) {
	e := slurmEnvironment{getenv: getenv}
	count := e.number("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
	if e.err == nil && count == 1 {
		return &Cluster{Tasks: []Task{{Name: workerName(0)}}}, nil
	}
	this := e.number("SLURM_PROCID")
	nodes := parsed(&e, "SLURM_STEP_NODELIST", expand)
	tasks := parsed(&e, "SLURM_STEP_TASKS_PER_NODE", expandCounts)
	if e.err != nil {
		return nil, e.err
	}
	if getenv("SLURM_STEP_NUM_NODES") != "" {
		if n := e.number("SLURM_STEP_NUM_NODES"); e.err == nil && n != len(nodes) {
			e.fail("SLURM_STEP_NUM_NODES", fmt.Errorf("is %d, but SLURM_STEP_NODELIST has %d nodes", n, len(nodes)))
		}
	}
	if len(tasks) != len(nodes) {
		e.fail("SLURM_STEP_TASKS_PER_NODE", fmt.Errorf("does not fit SLURM_STEP_NODELIST: %d and %d nodes", len(tasks), len(nodes)))
	}
	if e.err != nil {
		return nil, e.err
	}
	var addresses []string
	var places []int // the node of each task
	for node, n := range tasks {
		for i := range n {
			addresses = append(addresses, net.JoinHostPort(nodes[node], strconv.Itoa(port+i)))
			places = append(places, node)
		}
	}
	switch {
	case len(addresses) != count:
		e.fail("SLURM_STEP_TASKS_PER_NODE", fmt.Errorf("has %d tasks, but the step has %d", len(addresses), count))
	case this >= count:
		e.fail("SLURM_PROCID", fmt.Errorf("is %d, but the step has %d tasks", this, count))
	}
	if err := check(addresses); err != nil {
		e.fail("SLURM_STEP_NODELIST", err)
	}
	if getenv("SLURM_NODEID") != "" {
		if node := e.number("SLURM_NODEID"); e.err == nil && node != places[this] {
			err := pipeline.Errorf(pipeline.BadUsage, "SLURM_PROCID: task %d runs on node %d of the step, where node by node it would be on node %d", this, node, places[this])
			return nil, pipeline.WithHint(err, "number the tasks node by node: srun -m block")
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	c := workers(addresses)
	c.This = this
	return c, nil
}

// slurmEnvironment reads variables until the first error.
type slurmEnvironment struct {
	getenv func(string) string
	err    error
}

// fail keeps the first error.
func (e *slurmEnvironment) fail(variable string, err error) {
	if e.err == nil {
		e.err = wrong(fmt.Errorf("%s: %w", variable, err))
	}
}

// number reads the first of the variables that is set.
func (e *slurmEnvironment) number(variables ...string) int {
	for _, variable := range variables {
		if text := e.getenv(variable); text != "" {
			n, ok := whole(text)
			if !ok {
				e.fail(variable, fmt.Errorf("%s: must be a whole number, 0 or more", shown(text)))
			}
			return n
		}
	}
	e.missing(variables[len(variables)-1])
	return 0
}

func (e *slurmEnvironment) missing(variable string) {
	if e.err == nil {
		err := pipeline.Errorf(pipeline.BadUsage, "%s slurm: %s is not set, so this is no task of a Slurm step", pipeline.Option("cluster"), variable)
		e.err = pipeline.WithHint(err, "start each task with srun")
	}
}

// parsed reads a variable that is a list.
func parsed[T any](e *slurmEnvironment, variable string, parse func(string) ([]T, error)) []T {
	text := e.getenv(variable)
	if text == "" {
		e.missing(variable)
		return nil
	}
	values, err := parse(text)
	if err != nil {
		e.fail(variable, err)
	}
	return values
}

// expandCounts lists the tasks of each node: 2(x3),1 is 2, 2, 2, 1.
func expandCounts(text string) ([]int, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("is longer than %d bytes", maxText)
	}
	var counts []int
	total := 0
	for part := range strings.SplitSeq(text, ",") {
		digits, times, repeated := strings.Cut(part, "(x")
		n, ok := whole(digits)
		repeat := 1
		if repeated {
			digits, closed := strings.CutSuffix(times, ")")
			var ok2 bool
			repeat, ok2 = whole(digits)
			ok = ok && ok2 && closed
		}
		if !ok || n < 1 || repeat < 1 {
			return nil, fmt.Errorf("%s is no number of tasks such as 2 or 2(x3)", shown(part))
		}
		if n > MaxTasks || repeat > MaxTasks || total+n*repeat > MaxTasks {
			return nil, tooMany()
		}
		total += n * repeat
		for range repeat {
			counts = append(counts, n)
		}
	}
	return counts, nil
}
