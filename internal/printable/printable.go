// Package printable makes other people's text, such as names of files and of
// classes, fit to be shown.
package printable

import (
	"strconv"
	"strings"
)

// Text escapes, as in Go, what a terminal would obey and not print, and what
// would turn the text around it. Joiners stay: some scripts and emoji need them.
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

// Shorten leaves so many runes of a name. It cuts in the middle, for names of
// one data set often begin alike.
func Shorten(name string, limit int) string {
	runes := []rune(name)
	if len(runes) <= limit {
		return name
	}
	tail := (limit - 1) / 2
	return string(runes[:limit-1-tail]) + "…" + string(runes[len(runes)-tail:])
}
