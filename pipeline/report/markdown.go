package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

// Limits of a summary for a CI job.
const (
	summaryClasses = 50
	summaryPairs   = 5
	summaryEpochs  = 8
)

// Markdown writes a short report on a run for GitHub and GitLab.
func Markdown(w io.Writer, run rundir.Dir) error {
	c, err := read(run, nil)
	if err != nil {
		return err
	}
	return writeBrief(w, c)
}

func writeBrief(w io.Writer, c contents) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n", code(c.name), subtitle(c, code))
	if c.unfinished != "" {
		fmt.Fprintf(&b, "\n> **Note** %s\n", plain(c.unfinished))
	}
	if c.evaluation == nil {
		fmt.Fprintf(&b, "\nThis run has not been evaluated. Run: %s\n", code("tftl evaluate "+c.run.Path))
	} else {
		writeGates(&b, c.evaluation.Gates)
		writeEvaluation(&b, c)
		writeSlices(&b, c.evaluation.Slices)
	}
	writeTraining(&b, c)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func writeEvaluation(b *strings.Builder, c contents) {
	r := *c.evaluation
	g := grid{Words: 1, Header: []string{"metric", "value", "95% interval", "baseline"}}
	for _, m := range headline(r, c.parts[0]) {
		g.Rows = append(g.Rows, []string{m.Name, m.Value, m.Interval, m.Baseline})
	}
	writeGrid(b, g, plain)
	for _, warning := range r.Warnings {
		fmt.Fprintf(b, "\n> **Note** %s\n", plain(warning))
	}
	fmt.Fprintf(b, "\n%s\n\n### Classes\n", decide(r.Decision, c.classes, code))

	classes := grid{Words: 1, Header: []string{"class", "images", "precision", "recall", "F1"}}
	for _, row := range classRows(r) {
		cells := []string{row.Name, fmt.Sprint(row.Support)}
		for _, m := range row.Scores {
			cell := m.Value
			if m.Interval != "" {
				cell += " (" + m.Interval + ")"
			}
			cells = append(cells, cell)
		}
		classes.Rows = append(classes.Rows, cells)
	}
	more := max(len(classes.Rows)-summaryClasses, 0)
	classes.Rows = classes.Rows[:len(classes.Rows)-more]
	writeGrid(b, classes, code)
	if more > 0 {
		fmt.Fprintf(b, "\nand %d more\n", more)
	}

	pairs, left := confusedPairs(r)
	if left += max(len(pairs.Rows)-summaryPairs, 0); len(pairs.Rows) == 0 {
		b.WriteString("\nNo image was misclassified.\n")
		return
	}
	pairs.Rows = pairs.Rows[:min(len(pairs.Rows), summaryPairs)]
	b.WriteString("\n### Most confused pairs\n")
	writeGrid(b, pairs, code)
	if left > 0 {
		fmt.Fprintf(b, "\nand %s\n", count(left, "more pair"))
	}
}

func writeTraining(b *strings.Builder, c contents) {
	b.WriteString("\n### Training\n")
	if len(c.history) == 0 {
		b.WriteString("\nThis run has not finished an epoch yet.\n")
		return
	}
	fmt.Fprintf(b, "\n%s.\n", plain(summarize(c.history, c.config.Training.Monitor)))
	if c.tuning != nil {
		fmt.Fprintf(b, "\n%s.\n", plain(summarizeTuning(c.tuning)))
	}
	if stages := stagesGrid(c.history, c.config.Training.Monitor); len(stages.Rows) > 0 {
		writeGrid(b, stages, plain)
	}
	writeGrid(b, historyGrid(someEpochs(c.history)), plain)
}

// someEpochs are the first, the best and the last epoch, and some in between.
func someEpochs(history []pipeline.Epoch) []pipeline.Epoch {
	best, _ := pipeline.BestOf(history)
	var some []pipeline.Epoch
	step := max(1, (len(history)+summaryEpochs-1)/summaryEpochs)
	for i, e := range history {
		if i%step == 0 || i == len(history)-1 || e.Epoch == best.Epoch {
			some = append(some, e)
		}
	}
	return slices.Clip(some)
}

// writeGrid writes a table. mark makes the words in a row safe.
func writeGrid(b *strings.Builder, g grid, mark func(string) string) {
	line := func(cells []string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
	b.WriteByte('\n')
	line(g.Header)
	rules := make([]string, len(g.Header))
	for i := range rules {
		rules[i] = "---"
		if i >= g.Words {
			rules[i] = "--:"
		}
	}
	line(rules)
	for _, row := range g.Rows {
		cells := slices.Clone(row)
		for i := range g.Words {
			cells[i] = strings.ReplaceAll(mark(cells[i]), "|", `\|`)
		}
		line(cells)
	}
}

// code makes a name a code span, so that nothing in it becomes markup, a link or a
// mention.
func code(name string) string {
	name = display(name)
	longest, run := 0, 0
	for _, r := range name {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 {
		name = " " + name + " "
	}
	return fence + name + fence
}

// plain escapes words so that they show as they are.
func plain(words string) string {
	var b strings.Builder
	for _, r := range display(words) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_[]~$#!>:@", r):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
