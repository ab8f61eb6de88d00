package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ReadLabels reads classes, one per line, normalized by ClassName.
func ReadLabels(r io.Reader) ([]string, error) {
	text, err := plainText(r)
	if err != nil {
		return nil, err
	}
	var labels []string
	for line := range strings.Lines(text) {
		if line = ClassName(line); line != "" {
			if slices.Contains(labels, line) {
				return nil, fmt.Errorf("label %q is listed twice", line)
			}
			labels = append(labels, line)
		}
	}
	switch {
	case len(labels) == 1 && strings.ContainsAny(labels[0], ",;\t"):
		return nil, fmt.Errorf("has one line, %s: write each label on a line of its own", quoted(labels))
	case len(labels) < 2:
		return nil, errors.New("fewer than two labels")
	}
	return labels, nil
}

// Unnumbered removes the numbers in front of labels, if they count all labels
// from 0, as in "0 cat", "1 dog" of Teachable Machine.
func Unnumbered(labels []string) (names []string, numbered bool) {
	for i, label := range labels {
		rest, counted := strings.CutPrefix(label, strconv.Itoa(i))
		name := strings.TrimLeftFunc(rest, unicode.IsSpace)
		if !counted || name == "" || name == rest || slices.Contains(names, name) {
			return labels, false
		}
		names = append(names, name)
	}
	return names, true
}
