package ui

import (
	"encoding/json"
	"io"
	"strings"
)

// WriteJSON writes one indented JSON document.
func WriteJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// OneLine joins the lines of an error with semicolons.
func OneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ") }
