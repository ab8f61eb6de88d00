package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// Kind says what kind of error it is. The command line turns it into an exit
// code.
type Kind int

// The kinds of error that users need to tell apart.
const (
	Other      Kind = iota // anything else: a disk, a bug
	BadUsage               // the request makes no sense
	BadData                // the data set or one of its images is bad
	BadModel               // the model is bad
	GateFailed             // a metric missed its gate
	Diverged               // training produced values that are not finite
	PeerLost               // a process of the same cluster ended, or does not answer
)

// Error is an error with a kind, the text it was made from and, if there is
// one, a next step to try.
type Error struct {
	Kind Kind
	Hint Message // one line, lower case; zero for none
	// Option is the option whose value led to the error, if the text names none.
	Option Option
	Err    error
	text   Message // the text of Err before options are spelled; zero to use Err's own
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Errorf is fmt.Errorf with a kind. An Option among args is an option that the
// error is about.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...), text: Message{format, args}}
}

// WithHint adds a next step to an error and keeps its kind.
func WithHint(err error, format string, args ...any) error {
	return &Error{Kind: KindOf(err), Hint: Messagef(format, args...), Err: err}
}

// About records which option's value led to an error, unless the error already
// names one.
func About(option Option, err error) error {
	if err == nil || OptionOf(err) != "" {
		return err
	}
	return &Error{Kind: KindOf(err), Option: option, Err: err}
}

// KindOf returns the kind of the outermost Error in err's chain, or Other. It is
// also Other if the machine is to blame, whatever was being done: no request and no
// image is bad because a disk is full.
func KindOf(err error) Kind {
	var e *Error
	if !errors.As(err, &e) || outOfResources(err) || e.Kind == BadUsage && errors.Is(err, syscall.EIO) {
		return Other
	}
	return e.Kind
}

// outOfResources reports whether the system had no open files, memory or disk space
// left.
func outOfResources(err error) bool {
	limits := []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC, syscall.EDQUOT}
	return slices.ContainsFunc(limits, func(limit error) bool { return errors.Is(err, limit) })
}

// HintOf returns the first hint in err's chain, including joined errors, or
// zero.
func HintOf(err error) Message {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if !e.Hint.Empty() {
			return e.Hint
		}
	}
	return Message{}
}

// OptionOf returns the first option that an error in err's chain names or is
// about, or an empty one.
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

// ErrorText returns the text of err with options spelled by spell. It also finds
// our errors inside those of other packages, if the wrapped text comes last.
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
