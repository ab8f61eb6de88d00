package ui

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"tftl/internal/printable"
)

// WriteJSON writes one indented JSON document. What a terminal would act on is escaped
// in it.
func WriteJSON(w io.Writer, document any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(text.Bytes()))
	return err
}

// OneLine joins the lines of an error with semicolons.
func OneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ") }
