// Package printable makes text from elsewhere, such as the names of files and
// classes, safe to show.
package printable

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text escapes, as Go does, characters that a terminal would act on, and those
// that reverse the text around them.
func Text(text string) string {
	var b strings.Builder
	for _, r := range text {
		if plain(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// JSON escapes the same characters in a JSON document. It stays the same document.
func JSON(document []byte) []byte {
	if bytes.IndexFunc(document, unsafe) < 0 {
		return document
	}
	out := make([]byte, 0, len(document)+64)
	for _, r := range string(document) {
		switch {
		case !unsafe(r):
			out = utf8.AppendRune(out, r)
		case r > math.MaxUint16:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, "\\u%04x\\u%04x", high, low)
		default:
			out = fmt.Appendf(out, "\\u%04x", r)
		}
	}
	return out
}

// unsafe reports whether a character of a JSON document is to be escaped. Line breaks
// are only between its values.
func unsafe(r rune) bool { return r != '\n' && !plain(r) }

// plain reports whether a character can be shown as it is. Joiners can: some scripts
// and emoji need them.
func plain(r rune) bool { return strconv.IsPrint(r) || r == '\u200c' || r == '\u200d' }

// Fprintf is fmt.Fprintf with Text of all strings.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	shown := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			shown[i] = Text(arg)
		case []string:
			shown[i] = Text(fmt.Sprint(arg))
		default:
			shown[i] = arg
		}
	}
	return fmt.Fprintf(w, format, shown...)
}

// Shorten cuts a name to a number of runes. It cuts in the middle, because names
// in a data set often start alike.
func Shorten(name string, limit int) string {
	runes := []rune(name)
	if len(runes) <= limit {
		return name
	}
	tail := (limit - 1) / 2
	return string(runes[:limit-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// Argument quotes a path or another argument for a shell, if it needs quotes.
func Argument(text string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("/.-_=,", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	if text != "" && strings.IndexFunc(text, special) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
