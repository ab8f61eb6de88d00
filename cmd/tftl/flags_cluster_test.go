package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
	"tftl/pipeline"
)

// clusterOptionsOf reads the flags, and TFTL_* variables like a command does.
func clusterOptionsOf(arguments ...string) (o clusterOptions, err error) {
	command := &cli.Command{Name: "fit", Flags: clusterFlags(), Action: func(c *cli.Context) error {
		if _, err := commandline.Prepare(c); err != nil {
			return err
		}
		o, err = newClusterOptions(c)
		return err
	}}
	app := cli.App{Commands: []*cli.Command{command}}
	err = app.Run(append([]string{"tftl", "fit"}, arguments...))
	return o, err
}

func TestEveryClusterFlagIsRead(t *testing.T) {
	none := clusterOptions{Task: -1, PeerTimeout: time.Minute, StartTimeout: 10 * time.Minute}
	changed := func(change func(*clusterOptions)) clusterOptions {
		o := none
		change(&o)
		return o
	}
	want := map[string]clusterOptions{
		"":                        none,
		"--cluster a:1,b:1":       changed(func(o *clusterOptions) { o.Spec = "a:1,b:1" }),
		"--task 0":                changed(func(o *clusterOptions) { o.Task = 0 }),
		"--task 999":              changed(func(o *clusterOptions) { o.Task = 999 }),
		"--peer-timeout 1m30s":    changed(func(o *clusterOptions) { o.PeerTimeout = 90 * time.Second }),
		"--start-timeout 1h":      changed(func(o *clusterOptions) { o.StartTimeout = time.Hour }),
		"--insecure-bind":         changed(func(o *clusterOptions) { o.InsecureBind = true }),
		"--task 1 --cluster file": changed(func(o *clusterOptions) { o.Spec, o.Task = "file", 1 }),
	}
	for arguments, want := range want {
		if got, err := clusterOptionsOf(strings.Fields(arguments)...); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", arguments, got, err, want)
		}
	}
	for _, f := range clusterFlags() {
		name := f.Names()[0]
		if !strings.Contains(strings.Join(slices.Collect(maps.Keys(want)), " ")+" ", "--"+name+" ") {
			t.Errorf("--%s is not tried", name)
		}
	}
	t.Setenv("TFTL_TASK", "3")
	t.Setenv("TFTL_CLUSTER", "slurm")
	if got, err := clusterOptionsOf("--task", "1"); err != nil || got.Task != 1 || got.Spec != "slurm" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := clusterOptionsOf(); err != nil || got.Task != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBadClusterFlags(t *testing.T) {
	for arguments, want := range map[string]string{
		"--task -1":            "--task -1: must be 0 or more",
		"--task 1000":          "--task 1000: must be at most 999",
		"--peer-timeout 0s":    "--peer-timeout 0s: must be from 1s to 24h0m0s",
		"--peer-timeout 25h":   "--peer-timeout 25h0m0s: must be from 1s to 24h0m0s",
		"--start-timeout 10ms": "--start-timeout 10ms: must be from 1s to 24h0m0s",
	} {
		_, err := clusterOptionsOf(strings.Fields(arguments)...)
		if err == nil || pipeline.ErrorText(err, flag) != want || pipeline.KindOf(err) != pipeline.BadUsage {
			t.Errorf("%s: %v, want %q", arguments, err, want)
		}
	}
}
