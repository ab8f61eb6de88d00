package main

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"tftl"
	"tftl/pipeline"
	"tftl/pipeline/cluster"
	"tftl/savedmodels"
)

// fitTogether trains a run with the other tasks of a cluster. The chief has the run.
func fitTogether(ctx context.Context, t terminal, r fitRequest, c *cluster.Cluster) error {
	server, err := startServer(ctx, t, r, c)
	if err != nil {
		return err
	}
	t.say("cluster of %v", c)
	watch := cluster.Watch{This: c.This, Timeout: r.member.PeerTimeout, Start: r.member.StartTimeout, Gone: func(task int) bool { return refuses(c.Tasks[task].Address) }}
	for _, task := range c.Tasks {
		watch.Names = append(watch.Names, task.Name)
	}
	peers, err := cluster.Join(ctx, watch, server)
	if err != nil {
		return err
	}
	r.Cluster = clustered{c, peers}
	work, cancel := peers.Context(ctx)
	defer cancel()
	env, shown := environmentOn(t, server)
	err = peers.Do(func() error { return runFit(work, t, r, env, shown) })
	shown.end()
	return errors.Join(err, peers.Leave(err))
}

// startServer starts TensorFlow's server of this task, and waits for the chief's.
func startServer(ctx context.Context, t terminal, r fitRequest, c *cluster.Cluster) (*savedmodels.Server, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.member.StartTimeout, tooLate(c, r.member.StartTimeout))
	defer cancel()
	listen, err := c.Bind(ctx, cluster.ThisMachine(), r.member.InsecureBind, func(err error) { t.say("waiting: %v", err) })
	if err != nil {
		return nil, err
	}
	o := savedmodels.ServerOptions{This: c.This, Listen: listen, Session: tftl.SessionOptions(r.Session, nil)}
	for _, task := range c.Tasks {
		o.Tasks = append(o.Tasks, task.Address)
	}
	return savedmodels.StartServer(ctx, o)
}

// tooLate is the error of a task whose chief does not come.
func tooLate(c *cluster.Cluster, wait time.Duration) error {
	return pipeline.Errorf(pipeline.PeerLost, "%s did not come within %v", c.Tasks[0].Name, wait)
}

// refuses reports whether nobody listens at an address, as opposed to no answer.
func refuses(address string) bool {
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = connection.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// clustered is a cluster as training sees it.
type clustered struct {
	*cluster.Cluster
	*cluster.Peers
}

// Chief implements train.Cluster.
func (m clustered) Chief() bool { return m.Peers.Chief() }
