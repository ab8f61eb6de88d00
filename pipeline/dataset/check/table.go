package check

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"tftl/internal/printable"
	"tftl/pipeline"
)

// How much of a long list is shown. A JSON document has all of it.
const (
	mostFindings = 10 // of a kind
	mostFiles    = 4  // of a finding
)

// WriteTable writes the report for a person.
func (r *Report) WriteTable(out io.Writer, spell pipeline.Spelling) error {
	w := bufio.NewWriter(out)
	of := fmt.Sprintf("%d classes", len(r.Classes))
	width := utf8.RuneCountInString(of)
	for _, c := range r.Classes {
		width = max(width, utf8.RuneCountInString(printable.Text(c.Name)))
	}
	var sum [3]int
	parts := pipeline.Parts()
	fmt.Fprintf(w, "%-*s  %7s %7s %7s\n", width, "class", parts[0], parts[1], parts[2])
	for _, c := range r.Classes {
		fmt.Fprintf(w, "%-*s  %7d %7d %7d\n", width, printable.Text(c.Name), c.Images[0], c.Images[1], c.Images[2])
		for p, n := range c.Images {
			sum[p] += n
		}
	}
	fmt.Fprintf(w, "%-*s  %7d %7d %7d\n", width, of, sum[0], sum[1], sum[2])
	var formats []string
	for _, name := range slices.Sorted(maps.Keys(r.Formats)) {
		formats = append(formats, fmt.Sprintf("%d %s", r.Formats[name], name))
	}
	fmt.Fprintf(w, "\nformats  %s\n", strings.Join(formats, ", "))
	if r.Width != nil {
		fmt.Fprintf(w, "width    %d to %d, median %d\nheight   %d to %d, median %d\n",
			r.Width.Min, r.Width.Max, r.Width.Median, r.Height.Min, r.Height.Max, r.Height.Median)
	}
	for _, note := range r.Notes.lines() {
		fmt.Fprintf(w, "note     %s\n", printable.Text(note))
	}
	for _, k := range kinds() {
		found := slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Kind != k.Kind })
		if len(found) == 0 {
			continue
		}
		level := "warning"
		if k.Spoils() {
			level = "problem"
		}
		fmt.Fprintf(w, "\n%s: %s\n", level, k.words)
		for _, f := range found[:min(len(found), mostFindings)] {
			fmt.Fprintf(w, "  %s\n", printable.Text(f.line()))
		}
		if more := len(found) - mostFindings; more > 0 {
			fmt.Fprintf(w, "  and %d more: %s lists them\n", more, spell("json"))
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintf(w, "\nnothing found that would spoil a run\n")
	}
	return w.Flush()
}

// line is a finding's files and detail.
func (f Finding) line() string {
	between := " = "
	if f.Kind == NearDuplicate || f.Kind == LeakedNearDuplicate {
		between = " ~ "
	}
	leaked := f.Kind == LeakedDuplicate || f.Kind == LeakedNearDuplicate
	var names []string
	for _, file := range f.Files[:min(len(f.Files), mostFiles)] {
		name := file.Path
		if leaked {
			name += " (" + file.Part + ")"
		}
		names = append(names, name)
	}
	text := strings.Join(names, between)
	if more := len(f.Files) - mostFiles; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	switch {
	case text == "":
		return f.Detail
	case f.Detail == "":
		return text
	}
	return text + ": " + f.Detail
}
