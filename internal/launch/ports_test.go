package launch

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// reusePort listens as TensorFlow's server does if TF_GRPC_REUSE_PORT is true.
func reusePort(_, _ string, c syscall.RawConn) error {
	var err error
	return errors.Join(c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}), err)
}

func TestPortsAreHeld(t *testing.T) {
	ports, err := Hold(3)
	if err != nil {
		t.Fatal(err)
	}
	defer ports.Release()
	if len(ports.Addresses) != 3 || len(slices.Compact(slices.Sorted(slices.Values(ports.Addresses)))) != 3 {
		t.Fatalf("addresses %q", ports.Addresses)
	}
	for _, address := range ports.Addresses {
		if l, err := net.Listen("tcp", address); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("another program can listen on %s: %v, %v", address, l, err)
		}
		if c, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("somebody listens on %s: %v, %v", address, c, err)
		}
		config := net.ListenConfig{Control: reusePort}
		listener, err := config.Listen(context.Background(), "tcp", address)
		if err != nil {
			t.Errorf("the process cannot listen: %v", err)
			continue
		}
		for range 20 { // each reaches the one who listens
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			accepted, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			accepted.Close()
			c.Close()
		}
		listener.Close()
	}
	others, err := Hold(50)
	if err != nil {
		t.Fatal(err)
	}
	defer others.Release()
	for _, address := range others.Addresses {
		if slices.Contains(ports.Addresses, address) {
			t.Errorf("%s is held twice", address)
		}
	}
}

func TestPortsAreReleased(t *testing.T) {
	ports, err := Hold(1)
	if err != nil {
		t.Fatal(err)
	}
	ports.Release()
	l, err := net.Listen("tcp", ports.Addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
