package metrics

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"tftl/internal/printable"
)

const nameRunes = 32 // longest class name in a message

// display makes a class name safe for a terminal and at most limit runes long.
func display(name string, limit int) string {
	if name == "" {
		return `""`
	}
	return printable.Shorten(printable.Text(name), limit)
}

// some lists the first of many names.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// quoted lists the first few names in quotation marks.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strconv.Quote(name)
	}
	return some(list, 3)
}

// decimals is a metric for people, or a dash if it is not defined.
func decimals(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// signed is a change with its sign. What rounds to zero has none.
func signed(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	if v > 0 {
		return "+" + text
	}
	return text
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
