package cli

import (
	"errors"
	"strconv"
	"strings"
)

// Bytes reads a size: 500MB, 2GiB, 1000000.
func Bytes(text string) (int64, error) {
	number := strings.TrimRight(text, "KMGTiBb ")
	unit := strings.ToUpper(strings.TrimSpace(text[len(number):]))
	scale := map[string]float64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
	}[unit]
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || scale == 0 || !(value >= 0 && value*scale < 1<<62) {
		return 0, errors.New("must be a size such as 500MB or 2GiB, or a number of bytes")
	}
	return int64(value * scale), nil
}
