package rundir

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FORMAT.md has a row for each file of a run folder, and none for another.
func TestFormatNamesEveryFile(t *testing.T) {
	var written, described []string
	for _, f := range files() {
		written = append(written, strings.Replace(f.pattern, strings.Repeat("[2-7A-Z]", 26), "RANDOM", 1))
	}
	_, table, _ := strings.Cut(read(t, "FORMAT.md"), "| file |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, row := range regexp.MustCompile("(?m)^\\| `(.*?)` \\|").FindAllStringSubmatch(table, -1) {
		described = append(described, row[1])
	}
	if !slices.Equal(described, written) {
		t.Errorf("FORMAT.md describes %q, want %q", described, written)
	}
}
