package pipeline

import (
	"fmt"
	"strings"
)

// Option is the name of an option, such as "batch-size". The library does not
// know how its caller spells it: --batch-size on a command line, batch-size in a
// file.
type Option string

func (o Option) String() string { return string(o) }

// Spelling returns an option as a caller's users know it.
type Spelling func(Option) string

// Message is one line for people. It may name options, so its text is put
// together only when it is shown. The zero value is empty.
type Message struct {
	format string
	args   []any
}

// Messagef is fmt.Sprintf, delayed until the spelling of options is known.
func Messagef(format string, args ...any) Message { return Message{format, args} }

// Empty reports whether the message has no text.
func (m Message) Empty() bool { return m.format == "" }

// String returns the message with the plain names of options.
func (m Message) String() string { return m.Text(Option.String) }

// Text returns the message with options spelled by spell, including those in
// errors and messages among its arguments.
func (m Message) Text(spell Spelling) string {
	args := make([]any, len(m.args))
	for i, arg := range m.args {
		switch arg := arg.(type) {
		case Option:
			args[i] = spell(arg)
		case Message:
			args[i] = arg.Text(spell)
		case error:
			args[i] = ErrorText(arg, spell)
		default:
			args[i] = arg
		}
	}
	return fmt.Sprintf(strings.ReplaceAll(m.format, "%w", "%v"), args...)
}
