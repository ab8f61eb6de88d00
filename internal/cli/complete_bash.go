package cli

import "strings"

// bash is a completion script for bash 3.2 and later, with or without the package
// bash-completion.
//
// Where nothing is offered, readline completes files: it knows ~ and quotes.
func bash(program string, global []option, list []command) string {
	var s script
	s.line("# Completion of %s for bash, written by %[1]s completion bash.", program)
	s.line(`
_%s() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= paths=nothing offer IFS=' '
    if [[ $word == = ]]; then # --flag=value is three words
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    if [[ " ${COMP_WORDS[*]:0:COMP_CWORD} " == *' -- '* ]]; then # no flags from here on
        before=--
    fi
    if ((COMP_CWORD > 1)); then
        command=${COMP_WORDS[1]}
    fi
    COMPREPLY=()
    set --
    case $command in
    '')`, program)
	var names []string
	for _, c := range list {
		names = append(names, c.names...)
	}
	s.bashArguments(command{choices: names, options: global}, "        ")
	s.line("        ;;")
	for _, c := range list {
		s.line("    %s)", alternatives(c.names))
		s.line("        case $before in")
		s.bashValues(c.options)
		s.line("        *)")
		s.bashArguments(c, "            ")
		s.line("            ;;")
		s.line("        esac")
		s.line("        ;;")
	}
	s.line(`    esac
    case $paths in
    folders) compopt +o bashdefault +o default -o dirnames ;;
    nothing) compopt +o bashdefault +o default ;;
    esac 2>/dev/null # bash 3.2 has no compopt and offers files
    for offer; do
        if [[ $offer == "$word"* ]]; then
            COMPREPLY+=("$offer")
        fi
    done
}
complete -o bashdefault -o default -F _%s %[1]s`, program)
	return s.String()
}

// bashArguments offers the flags of a command, and its arguments.
func (s *script) bashArguments(c command, indent string) {
	offer := "set -- " + quoted(namesOf(c.options)...)
	if c.arguments == "" && c.choices == nil {
		s.line("%s%s", indent, offer)
		return
	}
	s.line("%sif [[ $word == -* && $before != -- ]]; then", indent)
	s.line("%s    %s", indent, offer)
	s.line("%selse", indent)
	if c.takesFiles() {
		s.line("%s    paths=files", indent)
	} else {
		s.line("%s    set -- %s", indent, quoted(c.choices...))
	}
	s.line("%sfi", indent)
}

// bashValues offers the values of flags. Flags with the same share a line.
func (s *script) bashValues(list []option) {
	var values []string
	names := map[string][]string{}
	for _, o := range list {
		if o.value == "" {
			continue
		}
		value := bashValue(o)
		if names[value] == nil {
			values = append(values, value)
		}
		names[value] = append(names[value], o.names...)
	}
	for _, value := range values {
		s.line("        %s) %s ;;", alternatives(names[value]), value)
	}
}

// bashValue offers the values of a flag.
func bashValue(o option) string {
	value := "paths=" + string(o.paths())
	if len(o.choices) > 0 {
		value += "; set -- " + quoted(o.choices...)
	}
	return value
}

// alternatives is the pattern of a case.
func alternatives(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = quoted(name)
	}
	return strings.Join(list, " | ")
}
