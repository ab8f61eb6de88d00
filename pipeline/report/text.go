package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"tftl/internal/printable"
	"tftl/pipeline/metrics"
)

const (
	nameRunes  = 60 // longest class name in text and tables
	shortRunes = 16 // longest class name above a column of the confusion matrix
)

// display makes other people's names (of classes and files) safe to show.
// Escaping for HTML or Markdown comes after it.
func display(name string) string {
	if name == "" {
		return `""`
	}
	return printable.Text(name)
}

func shorten(name string, limit int) string { return printable.Shorten(display(name), limit) }

// undefined stands for a metric that is not defined, such as the ROC AUC of a
// class without samples.
const undefined = "–"

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// orNull is a number for JSON, which has only finite ones.
func orNull(v float64) *float64 {
	if !finite(v) {
		return nil
	}
	return &v
}

// marshal is json.Marshal that leaves <, > and & in names and paths as they are.
func marshal(document any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(document)
	return b.Bytes(), err
}

// decimals is a metric with the usual four decimals.
func decimals(v float64) string { return fixed(v, 4) }

func fixed(v float64, digits int) string {
	if math.IsNaN(v) {
		return undefined
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// interval is the bounds of an interval, or nothing if there is none.
func interval(lower, upper float64) string {
	if !finite(lower) || !finite(upper) {
		return ""
	}
	return fixed(lower, 3) + " to " + fixed(upper, 3)
}

func percent(part, whole int) string {
	if whole == 0 {
		return undefined
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 0, 64) + "%"
}

// number is a value in as few digits as it needs, such as a learning rate.
func number(v float64) string {
	if !finite(v) {
		return undefined
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// seconds is a duration in the unit that people would use.
func seconds(v float64) string {
	switch {
	case v < 10:
		return fixed(v, 2) + " s"
	case v < 120:
		return fixed(v, 0) + " s"
	case v < 7200:
		return fixed(v/60, 0) + " min"
	}
	return fixed(v/3600, 1) + " h"
}

// widths are those of hidden layers.
func widths(units []int) string {
	var words []string
	for _, n := range units {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}

// count is a number of things: "1 image", "2 images".
func count(n int, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "s"):
		thing += "es"
	default:
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// list joins words as people do: "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// title is a metric's name for people: "Recall, cat" for recall[cat].
func title(name string) string {
	words := metrics.Title(name)
	if _, class, ok := strings.Cut(name, "["); ok {
		words += ", " + shorten(strings.TrimSuffix(class, "]"), nameRunes)
	}
	return words
}
