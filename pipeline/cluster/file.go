package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"tftl/internal/regular"
	"tftl/pipeline"
)

// fromFile is the cluster of a file: JSON in the form of TF_CONFIG, or addresses.
func fromFile(o Options) (*Cluster, error) {
	data, err := regular.Read(o.Spec, maxText)
	if err != nil {
		err = pipeline.Errorf(pipeline.BadUsage, "%s: %w", pipeline.Option("cluster"), err)
		if errors.Is(err, fs.ErrNotExist) && !strings.Contains(o.Spec, "/") {
			err = pipeline.WithHint(err, "addresses have a port: train-[0-3].train:2222")
		}
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var c *Cluster
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		parsed, err := parseConfig(o.Spec, data)
		if err != nil {
			return nil, err
		}
		if c, err = parsed.cluster(o); err != nil {
			return nil, err
		}
	} else {
		addresses, err := parseLines(data)
		if err != nil {
			return nil, wrong(fmt.Errorf("%s: %w", o.Spec, err))
		}
		if len(addresses) > 0 {
			return o.place(workers(addresses))
		}
	}
	if c == nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%s: has no addresses", o.Spec)
	}
	return c, nil
}

// parseLines reads one address per line. Empty lines and what follows a # do not
// count.
func parseLines(data []byte) ([]string, error) {
	var addresses []string
	seen := map[string]int{}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		text, _, _ := strings.Cut(line, "#")
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if err := check([]string{text}); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if other, ok := seen[strings.ToLower(text)]; ok {
			return nil, fmt.Errorf("line %d: address %s is already on line %d", number, shown(text), other)
		}
		seen[strings.ToLower(text)] = number
		addresses = append(addresses, text)
		if len(addresses) > MaxTasks {
			return nil, tooMany()
		}
	}
	return addresses, check(addresses)
}
