package dataset

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// ReadLabels reads classes, one per line, normalized by ClassName.
func ReadLabels(r io.Reader) ([]string, error) {
	text, err := plainText(r, maxLabels)
	if err != nil {
		return nil, err
	}
	var labels []string
	listed := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = ClassName(line); line != "" {
			if listed[line] {
				return nil, fmt.Errorf("label %q is listed twice", line)
			}
			labels, listed[line] = append(labels, line), true
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
	known := map[string]bool{}
	for i, label := range labels {
		rest, counted := strings.CutPrefix(label, strconv.Itoa(i))
		name := strings.TrimLeftFunc(rest, unicode.IsSpace)
		if !counted || name == "" || name == rest || known[name] {
			return labels, false
		}
		names, known[name] = append(names, name), true
	}
	return names, true
}
