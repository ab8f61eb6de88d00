package cluster

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tftl/pipeline"
)

// Machine is what Bind asks the operating system.
type Machine struct {
	Lookup    func(ctx context.Context, host string) ([]netip.Addr, error)
	Addresses func() ([]netip.Addr, error) // those of the network interfaces
}

// ThisMachine is the one that the program runs on.
func ThisMachine() Machine {
	return Machine{
		Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		Addresses: func() ([]netip.Addr, error) {
			list, err := net.InterfaceAddrs()
			if err != nil {
				return nil, err
			}
			var addresses []netip.Addr
			for _, a := range list {
				if prefix, err := netip.ParsePrefix(a.String()); err == nil {
					addresses = append(addresses, prefix.Addr())
				}
			}
			return addresses, nil
		},
	}
}

// retry is the time between two looks at a name.
const retry = time.Second

// Bind returns the address at which this task's server listens: that of the task,
// which must be one of this machine, and private. Whoever reaches the server can make
// it run what they like, so a public address and all addresses at once need insecure.
// With it, a task whose address is not one of this machine listens on all of them.
//
// A name may be unknown, or still be that of a pod before this one, while Kubernetes
// starts a job. Bind looks again every second until ctx ends, and calls waiting with
// the reason once. A cluster that is Alone has nothing to bind.
func (c *Cluster) Bind(ctx context.Context, m Machine, insecure bool, waiting func(error)) (netip.AddrPort, error) {
	host, port, err := splitAddress(c.Tasks[c.This].Address)
	if err != nil {
		return netip.AddrPort{}, wrong(err)
	}
	ticker := time.NewTicker(retry)
	defer ticker.Stop()
	for first := true; ; first = false {
		ip, again, err := c.bind(ctx, m, host, insecure)
		if err == nil || !again {
			return netip.AddrPortFrom(ip, uint16(port)), err
		}
		if first && waiting != nil {
			waiting(err)
		}
		select {
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded {
				return netip.AddrPort{}, err
			}
			return netip.AddrPort{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// bind finds the address of a host. again reports whether an error may pass.
func (c *Cluster) bind(ctx context.Context, m Machine, host string, insecure bool) (ip netip.Addr, again bool, err error) {
	task := c.Tasks[c.This]
	literal, err := netip.ParseAddr(host)
	found, named := []netip.Addr{literal}, err != nil
	if named {
		if found, err = m.Lookup(ctx, host); err != nil || len(found) == 0 {
			err = pipeline.Errorf(pipeline.BadUsage, "%s, address %s: its name has no IP address yet: %v", task.Name, shown(task.Address), err)
			return ip, true, pipeline.WithHint(err, "in Kubernetes a name needs a headless service, with publishNotReadyAddresses")
		}
	}
	mine, err := m.Addresses()
	if err != nil {
		return ip, false, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	ip, ok := choose(found, mine)
	switch {
	case ip.IsUnspecified() && !insecure:
		return ip, false, exposed("%s, address %s: would listen on every network of this machine", task)
	case ip.IsUnspecified():
		return ip, false, nil
	case !ok && insecure:
		if ip.Is4() {
			return netip.IPv4Unspecified(), false, nil
		}
		return netip.IPv6Unspecified(), false, nil
	case !ok:
		err := pipeline.Errorf(pipeline.BadUsage, "%s, address %s: %v is not an address of this machine, which has %s", task.Name, shown(task.Address), ip, list(mine))
		return ip, named, pipeline.WithHint(err, "check which task this is, or listen on all addresses with %s", pipeline.Option("insecure-bind"))
	case public(ip) && !insecure:
		return ip, false, exposed("%s, address %s: is public", task)
	case ip.IsLoopback():
		if other, ok := c.elsewhere(host); ok {
			err := pipeline.Errorf(pipeline.BadUsage, "%s, address %s: is %v, which %s at %s cannot reach", task.Name, shown(task.Address), ip, other.Name, shown(other.Address))
			return ip, false, pipeline.WithHint(err, "give the task an address of its network, or correct /etc/hosts")
		}
	}
	return ip, false, nil
}

// exposed is the error about an address that strangers may reach.
func exposed(format string, task Task) error {
	err := pipeline.Errorf(pipeline.BadUsage, format+", and the server has no authentication", task.Name, shown(task.Address))
	return pipeline.WithHint(err, "use an address of a private network; %s listens all the same", pipeline.Option("insecure-bind"))
}

// choose picks one of a host's addresses. ok reports whether it is this machine's. The order is
// always the same: private before public before loopback, IPv4 before IPv6.
func choose(found, mine []netip.Addr) (ip netip.Addr, ok bool) {
	var own []netip.Addr
	for i, ip := range found {
		found[i] = ip.Unmap().WithZone("")
	}
	slices.SortFunc(found, func(a, b netip.Addr) int {
		if byRank := rank(a) - rank(b); byRank != 0 {
			return byRank
		}
		return a.Compare(b) // IPv4 is before IPv6
	})
	for _, ip := range found {
		if ip.IsLoopback() || slices.ContainsFunc(mine, func(m netip.Addr) bool { return m.Unmap().WithZone("") == ip }) {
			own = append(own, ip)
		}
	}
	if len(own) > 0 {
		return own[0], true
	}
	return found[0], false
}

func rank(ip netip.Addr) int {
	switch {
	case ip.IsLoopback():
		return 2
	case public(ip):
		return 1
	}
	return 0
}

// public reports whether an address is not loopback, link-local, private (RFC 1918,
// RFC 4193) or of the space that providers share (RFC 6598), which clouds use for pods.
func public(ip netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
	return !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
}

// elsewhere finds a task that seems to run on another machine than a host.
func (c *Cluster) elsewhere(host string) (Task, bool) {
	for _, task := range c.Tasks {
		other, _, err := splitAddress(task.Address)
		if err != nil || strings.EqualFold(other, host) || strings.EqualFold(other, "localhost") {
			continue
		}
		if ip, err := netip.ParseAddr(other); err != nil || !ip.Unmap().IsLoopback() {
			return task, true
		}
	}
	return Task{}, false
}

// list writes addresses for a message, but those of the loopback interface.
func list(addresses []netip.Addr) string {
	var words []string
	for _, ip := range addresses {
		if !ip.IsLoopback() && len(words) < 8 {
			words = append(words, ip.WithZone("").String())
		}
	}
	if len(words) == 0 {
		return "none but loopback"
	}
	return strings.Join(words, ", ")
}
