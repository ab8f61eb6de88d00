package cli

import "strings"

// fish is a completion script for fish 3.0 and later.
func fish(program string, global []option, list []command) string {
	var s script
	s.line("# Completion of %s for fish, written by %[1]s completion fish.", program)
	s.line(`
function __%s_command
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
end
complete -c %[1]s -f`, program)
	none := "complete -c " + program + " -n " + fishQuoted("__"+program+"_command ''")
	s.fishOptions(none, global)
	for _, c := range list {
		for _, name := range c.names {
			s.line("%s -a %s -d %s", none, fishWords(name), fishQuoted(c.usage))
		}
	}
	for _, c := range list {
		in := "complete -c " + program + " -n " + fishQuoted("__"+program+"_command "+fishWords(c.names...))
		s.line("")
		s.fishOptions(in, c.options)
		switch {
		case c.takesFiles():
			s.line("%s -F", in)
		case c.choices != nil:
			s.line("%s -a %s", in, fishQuoted(fishWords(c.choices...)))
		}
	}
	return s.String()
}

// fishOptions completes flags and their values where a condition holds.
func (s *script) fishOptions(where string, list []option) {
	for _, o := range list {
		line := where
		for _, name := range o.names {
			if long, ok := strings.CutPrefix(name, "--"); ok {
				line += " -l " + fishQuoted(long)
			} else {
				line += " -s " + fishQuoted(name[1:])
			}
		}
		s.line("%s -d %s%s", line, fishQuoted(o.usage), fishValue(o))
	}
}

// fishValue completes the value of a flag.
func fishValue(o option) string {
	if o.value == "" {
		return ""
	}
	value := " -x"
	switch o.paths() {
	case folders:
		// A word such as --output=runs has the name of the flag before the folder.
		value += ` -a '(__fish_complete_directories (commandline -ct | string replace -r "^--[^=]*=" ""))'`
	case files:
		value = " -r -F"
	}
	if len(o.choices) > 0 {
		value += " -a " + fishQuoted(fishWords(o.choices...))
	}
	return value
}

// fishWords are words that fish does not expand.
func fishWords(words ...string) string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = fishQuoted(word)
	}
	return strings.Join(list, " ")
}

// fishQuoted is a word in single quotes if it needs them.
func fishQuoted(word string) string {
	if plain := quoted(word); plain == word {
		return word
	}
	return "'" + escaped(word, `\'`) + "'"
}
