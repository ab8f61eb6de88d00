package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/internal/cuda"
	"tftl/internal/launch"
	"tftl/internal/machine"
	"tftl/pipeline"
)

// Limits that are far above what one machine has use for.
const (
	mostProcesses = 64
	mostRestarts  = 1_000
)

// grace is how long a process may take to end before it is killed. It may need patience
// to save a checkpoint, and some time to free its memory.
const grace = 10 * time.Second

func newLaunchCommand() *cli.Command {
	return &cli.Command{
		Name:      "launch",
		Usage:     "run a command in several processes on this machine",
		ArgsUsage: "-- COMMAND [options]",
		Description: `Starts N processes with the same command. They are a cluster: TF_CONFIG, which launch
sets, tells each of them the addresses of all and which one it is.

   tftl launch -n 4 -- fit --data photos --model savedmodels/vgg16 \
      --output runs/first

The results of task 0, the chief, go to stdout. All else goes to stderr, each line with
the number of its task. The other tasks show only warnings and errors, unless the command
has --quiet=false.

Each process gets its share of the processors (--threads, --workers), unless the command
says how many. If a process fails, all end, and the exit code is that of the one that
failed for a reason of its own. It is 138 if a signal killed a process, such as that of a
system without memory. Ctrl-C reaches all processes once, and they save a checkpoint; the
second time it kills them. None of them outlives launch.

   tftl launch -n 4 --max-restarts 3 -- fit --data photos \
      --model savedmodels/vgg16 --output runs/first`,
		Flags: launchFlags(),
		Action: func(c *cli.Context) error {
			l, err := newLauncher(c)
			if err != nil || l == nil {
				return err
			}
			return l.run(c)
		},
	}
}

// launcher is what `tftl launch` was asked for.
type launcher struct {
	processes, restarts int
	args                []string // the command and its arguments
	common              []string // variables of all processes
	others              []string // of all but the chief
	again               []string // of all when they are started again
	gpus                []string // which GPU each may see; none if all may see all
}

// newLauncher returns nil if the command only wants its help shown.
func newLauncher(c *cli.Context) (*launcher, error) {
	l := &launcher{processes: c.Int("processes"), restarts: c.Int("max-restarts"), args: c.Args().Slice()}
	if !c.IsSet("processes") {
		return nil, usageError(c, pipeline.Errorf(pipeline.BadUsage, "%s is missing", pipeline.Option("processes")), false)
	}
	if err := within(c, 1, mostProcesses, "processes"); err != nil {
		return nil, err
	}
	if err := within(c, 0, mostRestarts, "max-restarts"); err != nil {
		return nil, err
	}
	if os.Getenv("TF_CONFIG") != "" {
		err := pipeline.Errorf(pipeline.BadUsage, "TF_CONFIG is set, so this process is part of a cluster already")
		return nil, pipeline.WithHint(err, "unset it to start a cluster here, or run the command without tftl launch")
	}
	command, err := readCommand(c, l.args)
	if err != nil || command == nil {
		return nil, err
	}
	if command.Command.Name == "fit" && l.restarts > 0 && command.String("output") == "" && command.String("resume") == "" {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s: fit needs %s, or it would start another run each time", pipeline.Option("max-restarts"), pipeline.Option("output"))
	}
	if command.Command.Name == "fit" && command.String("resume") == "" {
		l.again = []string{"TFTL_CONTINUE=true"}
	}
	if l.processes > 1 {
		l.share(command, processors())
	}
	l.inherit(c, command)
	if c.Bool("gpus") {
		visible, set := os.LookupEnv("CUDA_VISIBLE_DEVICES")
		l.gpus, err = chooseGPUs(l.processes, visible, set, countGPUs)
	}
	return l, err
}

// readCommand reads a command line as its processes will, so that a mistake is said once.
// It returns nil if the command only showed its help.
func readCommand(c *cli.Context, args []string) (read *cli.Context, err error) {
	if len(args) == 0 {
		return nil, usageError(c, errors.New("expected a command, such as: tftl launch -n 4 -- fit"), false)
	}
	if args[0] == c.Command.Name {
		return nil, usageError(c, fmt.Errorf("%s cannot launch itself", args[0]), false)
	}
	app := newApp(commands(), c.App.Writer, c.App.ErrWriter)
	for _, command := range app.Commands {
		command.Before = func(c *cli.Context) error {
			if _, err := commandline.Prepare(c); err != nil { // its process warns
				return pipeline.Errorf(pipeline.BadUsage, "%w", err)
			}
			return nil
		}
		command.Action = func(c *cli.Context) error {
			read = c
			return nil
		}
	}
	err = app.RunContext(c.Context, commandline.FlagsFirst(app.Commands, append([]string{app.Name}, args...)))
	return read, err
}

// processors is how many of them the processes may use together.
func processors() int {
	if quota := machine.Quota(); quota != machine.Unknown {
		return min(runtime.NumCPU(), int(math.Ceil(quota)))
	}
	return runtime.NumCPU()
}

// share gives each process its part of the processors. Otherwise each would use all. A
// resumed run has its own number of threads.
func (l *launcher) share(command *cli.Context, processors int) {
	for _, name := range []string{"threads", "workers"} {
		for _, f := range command.Command.Flags {
			variable, ok := commandline.Variable(f)
			if f.Names()[0] == name && ok && !command.IsSet(name) && (name != "threads" || command.String("resume") == "") {
				l.common = append(l.common, fmt.Sprintf("%s=%d", variable, max(1, processors/l.processes)))
			}
		}
	}
}

// inherit makes the common flags of launch those of the command. Only the chief shows
// what it does: the others do the same.
func (l *launcher) inherit(c, command *cli.Context) {
	if c.Bool("verbose") && !command.IsSet("verbose") {
		l.common = append(l.common, "TFTL_VERBOSE=true")
	}
	if command.IsSet("quiet") {
		return
	}
	if l.others = []string{"TFTL_QUIET=true"}; c.Bool("quiet") {
		l.common = append(l.common, l.others...)
	}
}

// run starts the processes, again if that may help.
func (l *launcher) run(c *cli.Context) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, interrupts()...)
	defer signal.Stop(signals)
	t := newTerminal(c)
	if l.processes > 1 && len(l.common) > 0 {
		t.say("%d processes, each with %s", l.processes, strings.Join(l.common, ", "))
	}
	group := launch.Group{Path: path, Args: l.args, Stdout: c.App.Writer, Stderr: c.App.ErrWriter, Signals: signals, Grace: grace}
	for restart := 1; ; restart++ {
		err := l.once(group)
		var task *launch.Failure
		if !errors.As(err, &task) {
			return err
		}
		if !task.Retryable() || restart > l.restarts || c.Context.Err() != nil {
			return explained(task)
		}
		t.warn("%v; starting all again (%d of %d)", task, restart, l.restarts)
		l.common, l.again = append(l.common, l.again...), nil
	}
}

// once starts the processes and waits for them.
func (l *launcher) once(group launch.Group) error {
	ports, err := launch.Hold(l.processes)
	if err != nil {
		return err
	}
	defer ports.Release()
	for task := range l.processes {
		variables, err := l.environment(task, ports.Addresses)
		if err != nil {
			return err
		}
		group.Env = append(group.Env, append(os.Environ(), variables...))
	}
	return group.Run()
}

// environment is what launch sets for a process.
func (l *launcher) environment(task int, addresses []string) ([]string, error) {
	variables := append([]string(nil), l.common...)
	if task > 0 {
		variables = append(variables, l.others...)
	}
	if l.gpus != nil {
		variables = append(variables, "CUDA_VISIBLE_DEVICES="+l.gpus[task])
	}
	if l.processes == 1 {
		return variables, nil
	}
	config, err := json.Marshal(map[string]any{
		"cluster": map[string][]string{"worker": addresses},
		"task":    map[string]any{"type": "worker", "index": task},
	})
	return append(variables, "TF_CONFIG="+string(config), "TF_GRPC_REUSE_PORT=true"), err
}

// explained adds what to do about a failure to what the process has said itself.
func explained(task *launch.Failure) error {
	switch {
	case task.Signal == os.Kill:
		return pipeline.WithHint(task, "the system kills a process if memory runs out: use fewer processes, or a smaller %s", pipeline.Option("batch-size"))
	case task.Retryable():
		return pipeline.WithHint(task, "%s N starts all again, at most N times", pipeline.Option("max-restarts"))
	}
	return task
}

// chooseGPUs gives each process a GPU of those that are visible to all. count asks the
// driver how many these are.
func chooseGPUs(n int, visible string, set bool, count func() (int, error)) ([]string, error) {
	found, err := count()
	if err != nil {
		err = pipeline.Errorf(pipeline.BadUsage, "%s: there is no GPU: %w", pipeline.Option("gpus"), err)
		return nil, pipeline.WithHint(err, "tftl doctor --device gpu says what is missing")
	}
	var names []string
	for i := range found {
		names = append(names, fmt.Sprint(i))
	}
	if set { // numbers, or names such as GPU-8932f937
		names = strings.Split(strings.ReplaceAll(visible, " ", ""), ",")
		names = names[:min(len(names), found)]
	}
	if len(names) < n {
		err := pipeline.Errorf(pipeline.BadUsage, "%s: %d processes need as many GPUs, and %d can be seen", pipeline.Option("gpus"), n, len(names))
		if set {
			err = pipeline.WithHint(err, "CUDA_VISIBLE_DEVICES is %q", visible)
		}
		return nil, err
	}
	return names[:n], nil
}

// countGPUs asks NVIDIA's driver.
func countGPUs() (int, error) {
	path, err := cuda.Load("libcuda.so.1")
	if err != nil {
		return 0, err
	}
	driver, err := cuda.Ask(path)
	return len(driver.Devices), err
}
