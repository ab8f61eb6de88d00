package cluster

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tftl/pipeline"
)

// machine has two networks, a public address and some names.
func machine() Machine {
	names := map[string]string{
		"localhost": "::1 127.0.0.1", "n1": "127.0.1.1", "both": "fd00::5 10.0.0.5 10.0.0.4", "www": "8.8.4.4 10.0.0.5", "other": "10.0.0.9",
		"mapped": "::ffff:10.0.0.5", "pod": "100.64.3.1", "ula": "fd00::5", "public": "8.8.4.4",
	}
	return Machine{
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			if names[host] == "" {
				return nil, errors.New("no such host")
			}
			return parse(names[host]), nil
		},
		Addresses: func() ([]netip.Addr, error) {
			return parse("127.0.0.1 ::1 10.0.0.5 fd00::5 8.8.4.4 100.64.3.1 169.254.1.1 2001:db8::1"), nil
		},
	}
}

func parse(text string) []netip.Addr {
	var list []netip.Addr
	for field := range strings.FieldsSeq(text) {
		list = append(list, netip.MustParseAddr(field))
	}
	return list
}

func TestBind(t *testing.T) {
	for _, c := range []struct{ address, peer, want, insecure string }{
		{"10.0.0.5:2222", "10.0.0.9:2222", "10.0.0.5:2222", "10.0.0.5:2222"},
		{"[fd00::5]:2222", "10.0.0.9:2222", "[fd00::5]:2222", "[fd00::5]:2222"},
		{"[::ffff:10.0.0.5]:2222", "10.0.0.9:2222", "10.0.0.5:2222", "10.0.0.5:2222"},
		{"169.254.1.1:1", "10.0.0.9:2222", "169.254.1.1:1", "169.254.1.1:1"},
		{"both:2222", "other:2222", "10.0.0.5:2222", "10.0.0.5:2222"},
		{"mapped:2222", "other:2222", "10.0.0.5:2222", "10.0.0.5:2222"},
		{"ula:2222", "other:2222", "[fd00::5]:2222", "[fd00::5]:2222"},
		{"pod:2222", "other:2222", "100.64.3.1:2222", "100.64.3.1:2222"},
		{"www:2222", "other:2222", "10.0.0.5:2222", "10.0.0.5:2222"},
		{"localhost:2222", "localhost:2223", "127.0.0.1:2222", "127.0.0.1:2222"},
		{"localhost:2222", "[::1]:2223", "127.0.0.1:2222", "127.0.0.1:2222"},
		{"127.0.0.2:2222", "127.0.0.1:2222", "127.0.0.2:2222", "127.0.0.2:2222"},
		{"n1:2222", "N1:2223", "127.0.1.1:2222", "127.0.1.1:2222"},

		{"0.0.0.0:1", "b:1", "would listen on every network of this machine", "0.0.0.0:1"},
		{"[::]:1", "b:1", "would listen on every network of this machine", "[::]:1"},
		{"8.8.4.4:1", "b:1", "is public", "8.8.4.4:1"},
		{"[2001:db8::1]:1", "b:1", "is public", "[2001:db8::1]:1"},
		{"public:1", "b:1", "is public", "8.8.4.4:1"},
		{"10.0.0.6:1", "b:1", "10.0.0.6 is not an address of this machine, which has 10.0.0.5, fd00::5", "0.0.0.0:1"},
		{"[fd00::6]:1", "b:1", "fd00::6 is not an address of this machine", "[::]:1"},
		{"other:1", "b:1", "10.0.0.9 is not an address of this machine", "0.0.0.0:1"},
		{"nobody:1", "b:1", "its name has no IP address yet: no such host", "its name has no IP address yet"},
		// Debian's own name in /etc/hosts is an address that no peer reaches.
		{"n1:2222", "n2:2222", `worker 0, address "n1:2222": is 127.0.1.1, which worker 1 at "n2:2222" cannot reach`, "cannot reach"},
		{"localhost:2222", "10.0.0.9:2222", "is 127.0.0.1, which worker 1", "cannot reach"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			cluster := workers([]string{c.address, c.peer})
			for _, insecure := range []bool{false, true} {
				want := c.want
				if insecure {
					want = c.insecure
				}
				got, err := cluster.Bind(ctx, machine(), insecure, nil)
				switch {
				case err == nil && got.String() == want:
				case err == nil || !strings.Contains(err.Error(), want) || pipeline.KindOf(err) != pipeline.BadUsage || pipeline.HintOf(err).Empty():
					t.Errorf("%s, insecure %t: %v, %v; want %s", c.address, insecure, got, err, want)
				}
			}
		})
	}
}

// A pod's name may lead nowhere, and then to the pod that it replaces.
func TestBindWaitsForItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, looked := machine(), 0
		m.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			looked++
			switch looked {
			case 1:
				return nil, errors.New("no such host")
			case 2:
				return parse("10.0.0.77"), nil
			}
			return parse("10.0.0.5"), nil
		}
		var said []string
		got, err := workers([]string{"train-0.train:2222", "train-1.train:2222"}).Bind(t.Context(), m, false, func(err error) { said = append(said, err.Error()) })
		if err != nil || got.String() != "10.0.0.5:2222" || looked != 3 || len(said) != 1 || !strings.Contains(said[0], "no such host") {
			t.Errorf("%v, %v after %d looks, %q", got, err, looked, said)
		}
	})
}

func TestBindCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := workers([]string{"nobody:1", "b:1"}).Bind(ctx, machine(), false, func(error) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A real machine has loopback addresses.
func TestThisMachine(t *testing.T) {
	got, err := workers([]string{"localhost:2222", "localhost:2223"}).Bind(t.Context(), ThisMachine(), false, nil)
	if err != nil || !got.Addr().IsLoopback() || got.Port() != 2222 {
		t.Errorf("%v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err = workers([]string{"192.0.2.1:2222", "192.0.2.2:2222"}).Bind(ctx, ThisMachine(), false, nil)
	if err == nil || !strings.Contains(err.Error(), "192.0.2.1 is not an address of this machine") {
		t.Error(err)
	}
}
