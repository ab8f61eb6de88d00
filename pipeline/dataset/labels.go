package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ReadLabels reads classes, one a line.
func ReadLabels(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var labels []string
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			if slices.Contains(labels, line) {
				return nil, fmt.Errorf("label %q is there twice", line)
			}
			labels = append(labels, line)
		}
	}
	if len(labels) < 2 {
		return nil, errors.New("fewer than two labels")
	}
	return labels, nil
}
