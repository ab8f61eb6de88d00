// Package csvrows reads CSV like encoding/csv, but with a bound on how long a row may
// be, and writes text that a spreadsheet does not take for a formula.
package csvrows

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Reader is a csv.Reader whose rows have a bound. What it reads, a csv.Writer writes so
// that it is read as the same again.
type Reader struct {
	*csv.Reader
	in   *bounded
	most int
	line int // where the next row begins, as far as known
}

// NewReader reads rows of at most so many bytes each. A longer one is a
// *csv.ParseError.
func NewReader(r io.Reader, most int) *Reader {
	in := &bounded{in: r}
	return &Reader{Reader: csv.NewReader(in), in: in, most: most, line: 1}
}

// Read reads a row.
func (r *Reader) Read() ([]string, error) {
	r.in.left = r.most + readAhead
	fields, err := r.Reader.Read()
	switch {
	case err == errLong: //nolint:errorlint // csv returns it as it is
		return nil, r.wrong(fmt.Errorf("a row of more than %d bytes", r.most))
	case r.in.returns && slices.ContainsFunc(fields, func(field string) bool { return strings.Contains(field, "\r\n") }):
		return nil, r.wrong(errors.New("a field has a line break of CR CR LF")) // as CR LF is read as LF
	case err == nil:
		r.line, _ = r.FieldPos(len(fields) - 1)
		r.line++
	}
	return fields, err
}

func (r *Reader) wrong(err error) error {
	return &csv.ParseError{StartLine: r.line, Line: r.line, Column: 1, Err: err}
}

// readAhead is how much of the following rows a csv.Reader may have read.
const readAhead = 4096

const errLong = tooLong("too long")

type tooLong string

func (e tooLong) Error() string { return string(e) }

// bounded reads until nothing is left of what a row may have.
type bounded struct {
	in      io.Reader
	left    int
	returns bool // there was a carriage return
}

func (b *bounded) Read(into []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.in.Read(into[:min(len(into), b.left)])
	b.left -= n
	b.returns = b.returns || bytes.IndexByte(into[:n], '\r') >= 0
	return n, err
}
