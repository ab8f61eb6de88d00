package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/cluster"
)

const clusterCategory = "several machines"

// Bounds of the times that tasks of a cluster wait for each other.
const (
	leastTimeout = time.Second
	mostTimeout  = 24 * time.Hour
)

// continueFlag lets whatever started the command start it again.
func continueFlag() cli.Flag {
	return &cli.BoolFlag{Name: "continue", Usage: "go on with the run in OUTPUT if it was begun with the same options; begin it if there is none"}
}

// clusterFlags say who takes part in a run on several machines.
func clusterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cluster", Usage: "train together with the tasks in `CLUSTER`: slurm, the step that srun started; addresses such as train-[0-3].train:2222, the first being the chief; or a file of them", DefaultText: "TF_CONFIG, if it is set", Category: clusterCategory},
		&cli.IntFlag{Name: "task", Usage: "take the place `N` in the cluster, from 0 for the chief", DefaultText: "as TF_CONFIG, Slurm or JOB_COMPLETION_INDEX says", Category: clusterCategory},
		&cli.DurationFlag{Name: "peer-timeout", Value: time.Minute, Usage: "end if another task of the cluster has not been heard of for this time", Category: clusterCategory},
		&cli.DurationFlag{Name: "start-timeout", Value: 10 * time.Minute, Usage: "end if the tasks of the cluster have not all started after this time", Category: clusterCategory},
		&cli.BoolFlag{Name: "insecure-bind", Usage: "listen at a public address, or at all addresses if the cluster's is not one of this machine; whoever reaches the port can run programs as you", Category: clusterCategory},
	}
}

// clusterOptions is what these flags say.
type clusterOptions struct {
	Spec         string
	Task         int // -1 for none given
	PeerTimeout  time.Duration
	StartTimeout time.Duration
	InsecureBind bool
}

func newClusterOptions(c *cli.Context) (clusterOptions, error) {
	o := clusterOptions{Spec: c.String("cluster"), Task: -1, PeerTimeout: c.Duration("peer-timeout"), StartTimeout: c.Duration("start-timeout"), InsecureBind: c.Bool("insecure-bind")}
	if c.IsSet("task") {
		if err := within(c, 0, cluster.MaxTasks-1, "task"); err != nil {
			return o, err
		}
		o.Task = c.Int("task")
	}
	for _, name := range []string{"peer-timeout", "start-timeout"} {
		if d := c.Duration(name); d < leastTimeout || d > mostTimeout {
			return o, pipeline.Errorf(pipeline.BadUsage, "%s %v: must be from %v to %v", pipeline.Option(name), d, leastTimeout, mostTimeout)
		}
	}
	return o, nil
}
