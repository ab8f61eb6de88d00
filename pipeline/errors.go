package pipeline

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what an error is about; the command line turns it into an exit code.
type Kind int

// The kinds of error that a user tells apart.
const (
	Other      Kind = iota // anything else: a disk, a bug
	BadUsage               // the request makes no sense
	BadData                // the data set or one of its images
	BadModel               // the model
	GateFailed             // a metric missed its gate
	Diverged               // training left the finite numbers
)

// Error is an error with a kind, the text it was made from and, where there is
// one, a next step to try.
type Error struct {
	Kind Kind
	Hint Message // one line, lower case; zero for none
	// Option is the option whose value led to the error, if its text names none.
	Option Option
	Err    error
	text   Message // what Err says; zero if Err says it itself
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Errorf is fmt.Errorf with a kind. An Option among args names an option that
// the error is about.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...), text: Message{format, args}}
}

// WithHint adds a next step to an error and keeps its kind.
func WithHint(err error, format string, args ...any) error {
	return &Error{Kind: KindOf(err), Hint: Messagef(format, args...), Err: err}
}

// About says which option's value led to an error, unless it says so itself.
func About(option Option, err error) error {
	if err == nil || OptionOf(err) != "" {
		return err
	}
	return &Error{Kind: KindOf(err), Option: option, Err: err}
}

// KindOf is the kind of the outermost Error in err's chain, or Other.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Other
}

// HintOf is the first hint in err's chain, joined errors included, or zero.
func HintOf(err error) Message {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if !e.Hint.Empty() {
			return e.Hint
		}
	}
	return Message{}
}

// OptionOf is the first option that an error of err's chain names or is about,
// or empty.
func OptionOf(err error) Option {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Option != "" {
			return e.Option
		}
		for _, arg := range e.text.args {
			if option, ok := arg.(Option); ok {
				return option
			}
		}
	}
	return ""
}

// ErrorText is what err says, with its options spelled by spell. Where an error
// of another package wraps one of ours in front of a colon, ours is still found.
func ErrorText(err error, spell Spelling) string {
	if e, ok := err.(*Error); ok {
		if e.text.Empty() {
			return ErrorText(e.Err, spell)
		}
		return e.text.Text(spell)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var lines []string
		for _, e := range joined.Unwrap() {
			lines = append(lines, ErrorText(e, spell))
		}
		if plain := errors.Join(joined.Unwrap()...); plain.Error() == err.Error() {
			return strings.Join(lines, "\n")
		}
	}
	if inner := errors.Unwrap(err); inner != nil {
		if before, ok := strings.CutSuffix(err.Error(), inner.Error()); ok {
			return before + ErrorText(inner, spell)
		}
	}
	return err.Error()
}
