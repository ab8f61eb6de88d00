package launch

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Ports are TCP ports of 127.0.0.1 that are kept for the processes of a group.
//
// A port that was found free and let go may be another program's a moment later. So the
// ports stay bound, to sockets that do not listen. Linux lets a second socket bind such a
// port only if both have SO_REUSEPORT and belong to the same user. The processes set it
// (TensorFlow's server does if TF_GRPC_REUSE_PORT is true), and nobody else can take the
// port by accident, nor another user at all. Connections go to sockets that listen, so
// ours gets none, and before the process listens they are refused, as without it. The
// kernel chooses the ports, and never one that is in use, even with SO_REUSEPORT.
type Ports struct {
	Addresses []string // such as 127.0.0.1:40001
	sockets   []int
}

// Hold binds n free ports until Release.
func Hold(n int) (*Ports, error) {
	p := &Ports{}
	for range n {
		address, err := p.bind()
		if err != nil {
			p.Release()
			return nil, fmt.Errorf("a free port of 127.0.0.1: %w", err)
		}
		p.Addresses = append(p.Addresses, address)
	}
	return p, nil
}

// bind adds a socket and returns its address.
func (p *Ports) bind() (string, error) {
	// The processes must not inherit the socket: it would outlive this program with them.
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	p.sockets = append(p.sockets, socket)
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return "", os.NewSyscallError("setsockopt", err)
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: loopback.As4()}); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	bound, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return "", os.NewSyscallError("getsockname", syscall.EAFNOSUPPORT)
	}
	return netip.AddrPortFrom(loopback, uint16(bound.Port)).String(), nil
}

// Release lets the ports go.
func (p *Ports) Release() {
	for _, socket := range p.sockets {
		_ = unix.Close(socket)
	}
	p.sockets = nil
}
