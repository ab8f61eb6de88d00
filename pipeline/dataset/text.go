package dataset

import (
	"errors"
	"io"
	"strings"
)

// plainText reads a list that a person or a spreadsheet wrote: UTF-8, with or
// without a byte-order mark, with the line ends of Unix, Windows or old Macs.
func plainText(r io.Reader) (string, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	text := strings.TrimPrefix(string(b), "\ufeff")
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return "", errors.New("is UTF-16: save it as UTF-8")
	}
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text, nil
}
