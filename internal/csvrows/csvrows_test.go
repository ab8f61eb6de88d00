package csvrows

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestRowsHaveABound(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		rows int
		line int // of the row that is too long; 0 for none
	}{
		"short":       {"a,b\n1,2\n3,4\n", 3, 0},
		"long":        {"a,b\n1,2\n3," + strings.Repeat("4", 20000) + "\n", 2, 3},
		"columns":     {strings.Repeat(",", 20000) + "\n", 0, 1},
		"never ends":  {"a,b\n\"1\n2\",3\n\"" + strings.Repeat("x,\n", 20000), 2, 4},
		"many":        {strings.Repeat("a,b\n", 20000), 20000, 0},
		"at the most": {"a," + strings.Repeat("b", 9998) + "\n", 1, 0},
	} {
		in, rows := NewReader(strings.NewReader(c.text), 10000), 0
		var err error
		for err == nil {
			if _, err = in.Read(); err == nil {
				rows++
			}
		}
		var wrong *csv.ParseError
		switch {
		case rows != c.rows:
			t.Errorf("%s: %d rows, want %d", name, rows, c.rows)
		case c.line == 0 && !errors.Is(err, io.EOF):
			t.Errorf("%s: %v", name, err)
		case c.line > 0 && (!errors.As(err, &wrong) || wrong.Line != c.line || wrong.Err.Error() != "a row of more than 10000 bytes"):
			t.Errorf("%s: %v, want line %d", name, err, c.line)
		}
	}
}

// Go reads CR LF as LF, and CR CR LF as CR LF, which would become LF the next time.
func TestLineBreaksAreReadBack(t *testing.T) {
	for text, want := range map[string]string{
		"a,\"b\nc\"\r\n": "b\nc", "a,\"b\r\nc\"\r\n": "b\nc", "a,\"b\rc\"\n": "b\rc", "a,\"b\r\r\nc\"\n": "", "a,b\r\r\n": "b\r",
	} {
		fields, err := NewReader(strings.NewReader(text), 100).Read()
		var wrong *csv.ParseError
		switch {
		case want == "" && (!errors.As(err, &wrong) || wrong.Line != 1 || wrong.Err.Error() != "a field has a line break of CR CR LF"):
			t.Errorf("%q: %q, %v", text, fields, err)
		case want != "" && (err != nil || fields[1] != want):
			t.Errorf("%q: %q, %v, want %q", text, fields, err, want)
		}
	}
}

func TestInertNamesAreReadBack(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "cat": "cat", "'": "'", "'tis": "'tis", "''": "''", "a=b": "a=b",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@sum": "'@sum", "\ttab": "'\ttab", "\rcr": "'\rcr", "\nlf": "'\nlf",
		"'=1": "''=1", "''-1": "'''-1",
	} {
		if got := Inert(name); got != want {
			t.Errorf("Inert(%q) = %q, want %q", name, got, want)
		}
		if got := Plain(Inert(name)); got != name {
			t.Errorf("%q is read back as %q", name, got)
		}
	}
	fields := []string{"", "'", "=", "-", "a", "\t"}
	for _, a := range fields {
		for _, b := range fields {
			for _, c := range fields {
				if name := a + b + c; Plain(Inert(name)) != name || slices.Contains([]byte(formula), (Inert(name) + " ")[0]) {
					t.Errorf("%q becomes %q", name, Inert(name))
				}
			}
		}
	}
}
