package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"tftl/internal/printable"
)

const (
	nameRunes  = 60 // longest name of a class in running text and in tables
	shortRunes = 16 // and above a column of the confusion matrix
)

// display makes other people's names, of classes and of files, safe to show.
// That and nothing more: escaping for HTML or Markdown comes after.
func display(name string) string {
	if name == "" {
		return `""`
	}
	return printable.Text(name)
}

func shorten(name string, limit int) string { return printable.Shorten(display(name), limit) }

// undefined stands where a figure has no value, such as the precision of a
// class that was never predicted.
const undefined = "–"

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// decimals is a figure as the terminal has it.
func decimals(v float64) string { return fixed(v, 4) }

func fixed(v float64, digits int) string {
	if !finite(v) {
		return undefined
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// interval is a figure's bounds, or nothing where it has none.
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

// number is a value at no more length than it needs: a learning rate.
func number(v float64) string {
	if !finite(v) {
		return undefined
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// seconds are as long as a person would say.
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

// count is a number of things: 1 image, 2 images.
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

// list joins words as a person would: a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// title is a figure's name for people: "F1, macro mean" for "f1".
func title(name string) string {
	class := ""
	if at := strings.IndexByte(name, '['); at > 0 && strings.HasSuffix(name, "]") {
		name, class = name[:at], ", "+shorten(name[at+1:len(name)-1], nameRunes)
	}
	words, known := map[string]string{
		"ece": "Calibration error", "f1": "F1", "kappa": "Cohen’s kappa", "mcc": "Matthews correlation",
		"roc_auc": "ROC AUC", "brier": "Brier score",
	}[name]
	if !known {
		words = strings.ReplaceAll(name, "_", " ")
		for kind, better := range map[string]string{" micro": ", micro mean", " weighted": ", weighted mean", " macro": ", macro mean"} {
			if before, ok := strings.CutSuffix(words, kind); ok {
				words = before + better
			}
		}
		words = strings.ToUpper(words[:1]) + words[1:]
	}
	return words + class
}
