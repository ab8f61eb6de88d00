// Package cli extends the command-line library with what tftl needs: help that
// fits a terminal, a manual page, completions for shells, errors that say what is
// valid, flags from the environment and from a YAML file, flags after arguments, and
// old names of flags.
//
// It does not define flags or what they mean.
package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// Help is laid out for a terminal of 80 columns.
const (
	helpWidth  = 80
	helpIndent = 3  // the library indents everything below a heading by this
	flagWidth  = 26 // width of the column of names; longer ones get their own line
)

// FitHelp makes the help of a program and its commands fit the terminal. It sets
// package variables of the library, which is the only way to format flags.
func FitHelp(app *cli.App) {
	cli.FlagStringer = flagHelp
	// The library would indent what flagHelp has laid out already.
	cli.CommandHelpTemplate = strings.Replace(cli.CommandHelpTemplate,
		`{{template "visibleFlagTemplate" .}}`, "{{range .VisibleFlags}}\n   {{.}}{{end}}", 1)
	app.Description = reflow(app.Description)
	app.UsageText = app.Name + " COMMAND [options]"
	for _, command := range app.Commands {
		command.Description = reflow(command.Description)
		command.UsageText = strings.TrimSpace(app.Name + " " + command.Name + " [options] " + command.ArgsUsage)
	}
}

// flagHelp is the entry of one flag: its names, its value, its usage and its default.
func flagHelp(f cli.Flag) string {
	o := describe(f)
	return beside(strings.TrimSpace(strings.Join(o.names, ", ")+" "+o.value), o.explained())
}

// Dashed is the name of a flag as it is typed.
func Dashed(name string) string { return "--"[:min(2, len(name))] + name }

// beside puts the usage of a flag next to its names, or below them if they are long.
func beside(names, usage string) string {
	lines := wrapped(usage, helpWidth-helpIndent-flagWidth)
	margin := strings.Repeat(" ", helpIndent+flagWidth)
	gap := "\n" + margin
	if n := utf8.RuneCountInString(names); n <= flagWidth-2 {
		gap = strings.Repeat(" ", flagWidth-n)
	}
	return names + gap + strings.Join(lines, "\n"+margin)
}

// reflow wraps the paragraphs of a text, but not indented lines and headings.
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
// longer than that gets its own line.
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
