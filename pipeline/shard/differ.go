package shard

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"tftl/pipeline"
)

// differ says what a shard and the first one do not have in common.
func differ(path, first string, a, b Header) error {
	for _, both := range []struct {
		options bool
		a, b    map[string]string
	}{{false, a.Facts, b.Facts}, {true, a.Options, b.Options}} {
		names := map[string]bool{}
		for _, m := range []map[string]string{both.a, both.b} {
			for name := range m {
				names[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			var err error
			switch was, now := both.b[name], both.a[name]; {
			case was == now:
				continue
			case both.options:
				err = pipeline.Errorf(pipeline.BadData, "%s: %s is %s, but in %s it is %s", path, pipeline.Option(name), shown(now), first, shown(was))
			default:
				err = pipeline.Errorf(pipeline.BadData, "%s: the %s is %s, but in %s it is %s", path, name, shown(now), first, shown(was))
			}
			return pipeline.WithHint(err, "all shards of a job need the same model, data, options and version of tftl")
		}
	}
	if a.Block != b.Block || !slices.Equal(a.Classes, b.Classes) || !bytes.Equal(a.Details, b.Details) {
		return bad(path, "does not belong to %s: its classes, decision or skipped images are others", first)
	}
	return nil
}

// shown is a value for people. Digests are shortened.
func shown(value string) string {
	const digest = 64
	switch {
	case value == "":
		return "not set"
	case len(value) == digest && strings.Trim(value, "0123456789abcdef") == "":
		return value[:8] + "…"
	}
	return value
}
