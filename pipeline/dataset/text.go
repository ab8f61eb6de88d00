package dataset

import (
	"errors"
	"io"
	"strings"
)

// plainText reads a list that a person or a spreadsheet wrote: UTF-8, perhaps
// with a mark that says so, in lines that end as Unix, Windows or old Macs have it.
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
