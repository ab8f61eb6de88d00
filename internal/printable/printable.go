// Package printable makes text from elsewhere, such as the names of files and
// classes, safe to show.
package printable

import (
	"strconv"
	"strings"
	"unicode"
)

// Text escapes, as Go does, characters that a terminal would act on, and those
// that reverse the text around them. Joiners stay: some scripts and emoji need
// them.
func Text(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) || r == '\u200c' || r == '\u200d' {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
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
