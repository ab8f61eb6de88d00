package metrics

import "strings"

// HasInterval reports whether a metric gets an interval.
func HasInterval(name string) bool {
	d, _ := define(name)
	if strings.Contains(name, "[") {
		return d.classInterval != none
	}
	return d.interval != none
}
