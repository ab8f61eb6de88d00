package cli

import (
	"slices"
	"strings"
)

// zsh is a completion script for zsh. It may be a file in a folder of fpath, or be
// sourced.
func zsh(program string, global []option, list []command) string {
	var s script
	s.line("#compdef %s", program)
	s.line("# Completion of %s for zsh, written by %[1]s completion zsh.", program)
	s.line(`
_%s() {
    local command= curcontext=$curcontext
    local -a commands
    if ((CURRENT > 2)); then
        command=$words[2]
        curcontext=${curcontext%%:*:*}:%[1]s-$command:
        shift words
        ((CURRENT--))
    elif [[ $PREFIX != -* ]]; then
        commands=(`, program)
	for _, c := range list {
		for _, name := range c.names {
			s.line("            %s", quoted(escaped(name, `\:`)+":"+escaped(c.usage, `\`)))
		}
	}
	s.line(`        )
        _describe -t commands command commands
        return
    fi
    case $command in`)
	for _, c := range list {
		s.line("    %s)", alternatives(c.names))
		s.zshArguments(c)
		s.line("        ;;")
	}
	s.line("    '')")
	s.zshArguments(command{options: global})
	s.line("        ;;")
	s.line(`    esac
}
if [[ $funcstack[1] == _%s ]]; then # loaded from fpath
    _%[1]s "$@"
else
    compdef _%[1]s %[1]s
fi`, program)
	return s.String()
}

// zshArguments completes the flags of a command, and its arguments.
func (s *script) zshArguments(c command) {
	specs := []string{"_arguments -S"}
	for _, o := range c.options {
		for _, name := range o.names {
			specs = append(specs, quoted(zshOption(o, name)))
		}
	}
	switch label := escaped(c.arguments, `\:`); {
	case c.takesFiles():
		specs = append(specs, quoted("*:"+label+":_files"))
	case c.choices != nil:
		specs = append(specs, quoted("1:"+label+":"+zshChoices(c.choices)))
	}
	s.line("        %s", strings.Join(specs, " \\\n            "))
}

// zshOption describes one name of a flag to _arguments. Once it is typed, the other
// names of that flag are no longer offered.
func zshOption(o option, name string) string {
	var before, value string
	if o.repeats {
		before = "*"
	} else if len(o.names) > 1 {
		others := slices.DeleteFunc(slices.Clone(o.names), func(other string) bool { return other == name })
		before = "(" + strings.Join(others, " ") + ")"
	}
	if o.value != "" {
		if strings.HasPrefix(name, "--") {
			name += "=" // or the next word
		}
		value = ":" + escaped(o.value, `\:`) + ":" + zshValue(o)
	}
	return before + name + "[" + escaped(o.usage, `\[]`) + "]" + value
}

// zshValue completes the value of a flag.
func zshValue(o option) string {
	find := map[paths]string{folders: "_files -/", files: "_files"}[o.paths()]
	switch {
	case o.choices == nil:
		return find
	case find == "":
		return zshChoices(o.choices)
	}
	return "{compadd -- " + quoted(o.choices...) + "; " + find + "}"
}

func zshChoices(values []string) string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = escaped(value, "\\:()[]{}'\"$` ;&|<>*?#~!")
	}
	return "(" + strings.Join(list, " ") + ")"
}
