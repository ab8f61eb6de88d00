// Command together measures the training steps of one process, or of several that share
// them, on this machine. `make bench-cluster` runs it.
//
// The processes are a cluster as `tftl fit` makes one: TensorFlow's servers on loopback,
// and the step that sums gradients by one collective operation. Features are random. A
// step of one process has no collective operation, so what the others' steps take longer
// is its price. Prints a line of JSON for each number of examples.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tftl/internal/launch"
	_ "tftl/internal/quiet"
	"tftl/pipeline/cluster"
	"tftl/savedmodels"
)

type options struct {
	model, stage, precision string
	processes, units        int
	steps, threads          int
	examples                []int
	task                    int      // of the cluster
	addresses               []string // of its tasks
}

// What the processes of a cluster find in their environment.
const (
	taskVariable      = "TOGETHER_TASK"
	addressesVariable = "TOGETHER_ADDRESSES"
)

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "exported model")
	flag.StringVar(&o.stage, "stage", "head", "train this stage")
	flag.StringVar(&o.precision, "precision", "auto", "as tftl takes it")
	flag.IntVar(&o.processes, "processes", 1, "how many share each step")
	flag.IntVar(&o.units, "units", 256, "width of the head's hidden layers")
	flag.IntVar(&o.steps, "steps", 20, "how many steps to measure for each number of examples")
	flag.IntVar(&o.threads, "threads", 1, "processors that TensorFlow may use in each process")
	examples := flag.String("examples", "1", "how many examples each process has of a step, separated by commas")
	flag.Parse()
	if err := o.run(context.Background(), *examples); err != nil {
		fmt.Fprintln(os.Stderr, "together:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context, examples string) error {
	for _, text := range strings.Split(examples, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-examples %q: want numbers above 0, separated by commas", examples)
		}
		o.examples = append(o.examples, n)
	}
	if addresses := os.Getenv(addressesVariable); addresses != "" {
		o.addresses = strings.Split(addresses, ",")
		task, err := strconv.Atoi(os.Getenv(taskVariable))
		if err != nil || task < 0 || task >= len(o.addresses) {
			return errors.New(taskVariable + " names no task")
		}
		o.task = task
		return o.join(ctx)
	}
	if o.processes > 1 {
		return o.start()
	}
	return o.measure(ctx, nil)
}

// start runs this program in every process of a cluster.
func (o options) start() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ports, err := launch.Hold(o.processes)
	if err != nil {
		return err
	}
	defer ports.Release()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	group := launch.Group{Path: program, Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals, Grace: time.Second}
	for task := range o.processes {
		group.Env = append(group.Env, append(os.Environ(), "TF_GRPC_REUSE_PORT=true",
			fmt.Sprint(taskVariable, "=", task), addressesVariable+"="+strings.Join(ports.Addresses, ",")))
	}
	return group.Run()
}

// join measures in one process of a cluster.
func (o options) join(ctx context.Context) error {
	listen, err := netip.ParseAddrPort(o.addresses[o.task])
	if err != nil {
		return err
	}
	server, err := savedmodels.StartServer(ctx, savedmodels.ServerOptions{Tasks: o.addresses, This: o.task, Listen: listen, Session: o.session(nil)})
	if err != nil {
		return err
	}
	peers, err := cluster.Join(ctx, cluster.Watch{Names: o.addresses, This: o.task, Timeout: time.Minute, Start: time.Minute}, server)
	if err != nil {
		return err
	}
	err = peers.Verdict(o.measure(ctx, server))
	return errors.Join(err, peers.Leave(err))
}

func (o options) session(server *savedmodels.Server) savedmodels.Options {
	return savedmodels.Options{Precision: savedmodels.Precision(o.precision), Threads: o.threads, Device: "cpu", Server: server}
}
