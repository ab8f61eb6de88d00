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

// describeFlag is the library's own description: names, a tab, what for.
var describeFlag = cli.FlagStringer

// fitHelp lets the help of a program and of its commands fit a terminal.
func fitHelp(app *cli.App) {
	cli.FlagStringer = flagHelp
	app.Description = reflow(app.Description)
	for _, command := range app.Commands {
		command.Description = reflow(command.Description)
	}
}

// flagHelp is a flag's entry. Its variable is told where it is not the usual
// one, and its default where it has a value.
func flagHelp(f cli.Flag) string {
	names, usage, _ := strings.Cut(describeFlag(f), "\t")
	if d, ok := f.(cli.DocGenerationFlag); ok && slices.Equal(d.GetEnvVars(), variables(f)) {
		usage = strings.TrimSuffix(usage, " [$"+variables(f)[0]+"]")
	}
	usage = strings.TrimSuffix(usage, " (default: false)")
	if first, _, many := strings.Cut(names, " [ "); many {
		names = first
	}
	if long, short, both := strings.Cut(names, ", "); both {
		name, _, _ := strings.Cut(long, " ")
		names = name + ", " + short // the value is named once
	}
	return beside(names, usage)
}

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
