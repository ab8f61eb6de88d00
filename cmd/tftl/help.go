package main

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// Help is made for a terminal of 80 columns.
const (
	helpWidth  = 80
	helpIndent = 3  // of everything below a heading, by the library
	flagWidth  = 26 // of the column of names; a longer one has a line to itself
)

// fitHelp lets the help of a program and of its commands fit a terminal.
func fitHelp(app *cli.App) {
	cli.FlagStringer = flagHelp
	app.Description = reflow(app.Description)
	for _, command := range app.Commands {
		command.Description = reflow(command.Description)
	}
}

// flagHelp is a flag's entry: its names, its value as the usage has it in
// backquotes, and what for. Its default is told where it takes a value, and its
// variable where that is not the usual one.
func flagHelp(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	usage := d.GetUsage()
	var names []string
	for _, name := range f.Names() {
		names = append(names, dashed(name))
	}
	entry := strings.Join(names, ", ")
	if d.TakesValue() {
		value := "value"
		if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
			value, usage = parts[1], parts[0]+parts[1]+parts[2]
		}
		entry += " " + value
		if text := d.GetDefaultText(); text != "" {
			usage += " (default: " + text + ")"
		}
	}
	if own := d.GetEnvVars(); len(own) > 0 && !slices.Equal(own, variables(f)) {
		usage += " [$" + own[0] + "]"
	}
	return beside(entry, usage)
}

// dashed is a flag as it is typed.
func dashed(name string) string { return "--"[:min(2, len(name))] + name }

// beside puts what a flag is for beside its names, or below where they are long.
func beside(names, usage string) string {
	lines := wrapped(usage, helpWidth-helpIndent-flagWidth)
	margin := strings.Repeat(" ", helpIndent+flagWidth)
	gap := "\n" + margin
	if n := utf8.RuneCountInString(names); n <= flagWidth-2 {
		gap = strings.Repeat(" ", flagWidth-n)
	}
	return names + gap + strings.Join(lines, "\n"+margin)
}

// reflow fills the paragraphs of a text anew. Indented lines stay as they are.
func reflow(text string) string {
	var out, paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, wrapped(strings.Join(paragraph, " "), helpWidth-helpIndent)...)
			paragraph = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, " ") || strings.HasSuffix(line, ":") && strings.ToUpper(line) == line {
			end()
			out = append(out, line)
			continue
		}
		paragraph = append(paragraph, line)
	}
	end()
	return strings.Join(out, "\n")
}

// wrapped breaks a text between words into lines of at most width runes. A word
// that is longer has a line to itself.
func wrapped(text string, width int) []string {
	var lines []string
	var line string
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
