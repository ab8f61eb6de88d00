package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// service is the process that is tested.
type service struct {
	command *exec.Cmd
	address string // host:port
	ended   chan error
}

// start waits until the service listens.
func start(command []string) (*service, error) {
	s := &service{command: exec.Command(command[0], command[1:]...), ended: make(chan error, 1)}
	messages, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(messages)
		for lines.Scan() {
			if _, address, ok := strings.Cut(lines.Text(), "listening on http://"); ok {
				found <- address
				continue
			}
			fmt.Fprintln(os.Stderr, lines.Text())
		}
		s.ended <- s.command.Wait()
	}()
	select {
	case s.address = <-found:
		return s, nil
	case err := <-s.ended:
		return nil, fmt.Errorf("the service did not start: %v", err)
	case <-time.After(time.Minute):
		s.kill()
		return nil, fmt.Errorf("the service does not listen after a minute")
	}
}

// memory is how many megabytes the process has in RAM.
func (s *service) memory() float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	var kilobytes float64
	if _, after, found := strings.Cut(string(status), "VmRSS:"); found {
		_, _ = fmt.Sscan(after, &kilobytes)
	}
	return kilobytes / 1000
}

func (s *service) signal(signal os.Signal) { _ = s.command.Process.Signal(signal) }

func (s *service) kill() { _ = s.command.Process.Kill() }

// wait returns nil if the service ends in time with exit status 0.
func (s *service) wait(limit time.Duration) error {
	select {
	case err := <-s.ended:
		if err != nil {
			return fmt.Errorf("the service ended: %w", err)
		}
		return nil
	case <-time.After(limit):
		return fmt.Errorf("the service has not stopped after %v", limit)
	}
}
