package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxText is the most bytes of a host list, of TF_CONFIG and of a file.
const maxText = 1 << 20

// expand lists the names that a host list of Slurm stands for: n[08-10,12],m1 is n08,
// n09, n10, n12, m1. A name may have several ranges, and text after them. Brackets
// with a colon are an IPv6 address.
func expand(list string) ([]string, error) {
	if len(list) > maxText {
		return nil, fmt.Errorf("is longer than %d bytes", maxText)
	}
	var names []string
	for part := range splitList(list) {
		some, err := expandName(part, MaxTasks-len(names))
		if err != nil {
			return nil, err
		}
		names = append(names, some...)
	}
	return names, nil
}

// splitList cuts a host list at the commas outside brackets.
func splitList(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		inside, start := false, 0
		for i, r := range list {
			switch {
			case r == '[':
				inside = true
			case r == ']':
				inside = false
			case r == ',' && !inside:
				if !yield(list[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(list[start:])
	}
}

// expandName expands one name of a host list into at most so many.
func expandName(name string, most int) ([]string, error) {
	if name == "" {
		return nil, errors.New("has an empty name")
	}
	names, rest := []string{""}, name
	for rest != "" {
		plain, after, ok := strings.Cut(rest, "[")
		values := []string{""}
		rest = ""
		if ok {
			var inner string
			if inner, rest, ok = strings.Cut(after, "]"); !ok || strings.Contains(inner, "[") {
				return nil, fmt.Errorf("brackets do not match in %s", shown(name))
			}
			var err error
			if values, err = expandRanges(inner, most/len(names)); err != nil {
				return nil, fmt.Errorf("%w in %s", err, shown(name))
			}
		}
		if strings.Contains(plain, "]") {
			return nil, fmt.Errorf("brackets do not match in %s", shown(name))
		}
		var longer []string
		for _, before := range names {
			for _, value := range values {
				longer = append(longer, before+plain+value)
			}
		}
		names = longer
	}
	if len(names) > most {
		return nil, tooMany()
	}
	return names, nil
}

// expandRanges lists the numbers between brackets, such as 08-10,12. Each has the
// digits of the first of its range.
func expandRanges(text string, most int) ([]string, error) {
	if strings.Contains(text, ":") {
		return []string{"[" + text + "]"}, nil
	}
	var values []string
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, ok := whole(low)
		last, ok2 := whole(high)
		if !ok || !ok2 || last < first {
			return nil, fmt.Errorf("%s is no range such as 0-3", shown(part))
		}
		if last-first >= most-len(values) {
			return nil, tooMany()
		}
		for i := first; i <= last; i++ {
			values = append(values, fmt.Sprintf("%0*d", len(low), i))
		}
	}
	return values, nil
}

func tooMany() error { return fmt.Errorf("there are more than %d tasks", MaxTasks) }

// whole reads a number of at most nine digits.
func whole(text string) (int, bool) {
	if text == "" || len(text) > 9 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// check returns an error if one of the addresses is none, or is there twice.
func check(addresses []string) error {
	seen := map[string]int{}
	for i, address := range addresses {
		host, port, err := splitAddress(address)
		if err != nil {
			return err
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			host = ip.Unmap().String()
		}
		key := fmt.Sprintf("%s %d", strings.ToLower(strings.TrimSuffix(host, ".")), port)
		if other, ok := seen[key]; ok {
			return fmt.Errorf("tasks %d and %d have the same address, %s", other, i, shown(address))
		}
		seen[key] = i
	}
	return nil
}

// splitAddress is the host and the port of an address.
func splitAddress(address string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(address)
	port, ok := whole(digits)
	switch {
	case err != nil || host == "" || !ok:
		return "", 0, fmt.Errorf("address %s: must be HOST:PORT, with an IPv6 address in brackets", shown(address))
	case port < 1 || port > 65535:
		return "", 0, fmt.Errorf("address %s: the port must be from 1 to 65535", shown(address))
	case !validHost(host, strings.HasPrefix(address, "[")):
		return "", 0, fmt.Errorf("address %s: %s is neither a host name nor an IP address", shown(address), shown(host))
	}
	return host, port, nil
}

// validHost reports whether a host is a name or an address without a zone, which
// means something on one machine only. IPv6 addresses alone are in brackets.
func validHost(host string, brackets bool) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Is6() == brackets && ip.Zone() == ""
	}
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._", r))
	}
	return !brackets && len(host) <= 253 && !strings.ContainsFunc(host, odd) &&
		strings.Trim(host, "0123456789.") != "" && !strings.HasPrefix(host, "-")
}
