package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// WriteJSON writes one indented JSON document.
func WriteJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// OneLine puts the lines of a joined error on one line.
func OneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ") }

// Few lists the first few of many words and counts the rest.
func Few(words []string) string {
	const most = 5
	if len(words) > most {
		words = append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
	}
	return strings.Join(words, "; ")
}

// Quoted is a path as a shell reads it, for commands that people copy.
func Quoted(path string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("/.-_=,", r) || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
