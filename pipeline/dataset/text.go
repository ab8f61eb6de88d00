package dataset

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// plainText reads a list that a person or a spreadsheet wrote: UTF-8, with or
// without a byte-order mark, with the line ends of Unix, Windows or old Macs.
// It has at most so many bytes.
func plainText(r io.Reader, most int64) (string, error) {
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(r, most+1))
	if err != nil {
		return "", err
	}
	if n > most {
		return "", fmt.Errorf("has more than the limit of %d bytes", most)
	}
	text := strings.TrimPrefix(b.String(), "\ufeff")
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return "", errors.New("is UTF-16: save it as UTF-8")
	}
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text, nil
}
