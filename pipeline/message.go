package pipeline

import (
	"fmt"
	"strings"
)

// Option names an option of a request, such as "batch-size". The library does
// not know how its caller spells it: --batch-size on a command line, batch-size
// in a file.
type Option string

func (o Option) String() string { return string(o) }

// Spelling is how a caller spells an option to its users.
type Spelling func(Option) string

// Message is one line for people. It may name options, and is put together only
// where it is shown. Its zero value says nothing.
type Message struct {
	format string
	args   []any
}

// Messagef is fmt.Sprintf, put off until it is known how options are spelled.
func Messagef(format string, args ...any) Message { return Message{format, args} }

// Empty says whether there is nothing to say.
func (m Message) Empty() bool { return m.format == "" }

// String is the message with options by their names.
func (m Message) String() string { return m.Text(Option.String) }

// Text is the message with options as spell has them, those of errors and
// messages within it included.
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
