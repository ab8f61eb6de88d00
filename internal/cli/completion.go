package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// Shells are the shells that Completion knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion is a script that completes a program's command line in one of Shells. It
// has all that it offers, so the program does not run while somebody types. ok is false
// if the shell is unknown.
//
// The first word is the command. Values of flags and arguments are files, folders or
// nothing by what they are called (FILE, DATA, DIR), unless the flag is Offered values.
func Completion(app *cli.App, shell string) (script string, ok bool) {
	write := map[string]func(string, []option, []command) string{"bash": bash, "zsh": zsh, "fish": fish}[shell]
	if write == nil {
		return "", false
	}
	return write(app.Name, options(app.Flags), commands(app)), true
}

// script is a shell script that is being written.
type script struct{ strings.Builder }

// line adds a line, or some.
func (s *script) line(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// quoted are words for bash and zsh, in single quotes where needed.
func quoted(words ...string) string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = word
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+@%") != "" {
			list[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(list, " ")
}

// escaped puts a backslash before each of some characters.
func escaped(text, characters string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(characters, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// namesOf are all names of some options.
func namesOf(list []option) []string {
	var names []string
	for _, o := range list {
		names = append(names, o.names...)
	}
	return names
}
