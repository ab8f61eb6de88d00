package pipeline

import (
	"errors"
	"fmt"
)

// Kind says what an error is about; the command line turns it into an exit code.
type Kind int

// The kinds of error that a user tells apart.
const (
	Other      Kind = iota // anything else: a disk, a bug
	BadUsage               // what was asked for makes no sense
	BadData                // the data set or an image of it
	BadModel               // the model
	GateFailed             // a metric missed what was demanded of it
	Diverged               // training left the finite numbers
)

// Error is an error with a kind and, where there is one, a next step to try.
type Error struct {
	Kind Kind
	Hint string // one line, lower case, or empty
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Errorf is fmt.Errorf with a kind.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// WithHint adds a next step to an error and keeps its kind.
func WithHint(err error, format string, args ...any) error {
	return &Error{Kind: KindOf(err), Hint: fmt.Sprintf(format, args...), Err: err}
}

// KindOf is the kind of the outermost Error in err's chain, or Other.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Other
}

// HintOf is the first hint in err's chain, joined errors too, or empty.
func HintOf(err error) string {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Hint != "" {
			return e.Hint
		}
	}
	return ""
}
