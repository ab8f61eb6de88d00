package report

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tftl/pipeline/rundir"
)

// An evaluation.json of an older version lacks metrics. The pages leave them out
// instead of showing 0.
func TestMetricsOfAnOlderEvaluationAreLeftOut(t *testing.T) {
	run, root := makePage(t, "older", sketches()["two"])
	if listed, cards := metricsOf(root); !slices.Contains(listed, "Cohen’s kappa") || !slices.Contains(cards, "Calibration error") {
		t.Fatalf("the page lists %q, cards %q", listed, cards)
	}
	age(t, run, "kappa", "ece", "average_precision", "aurc")
	root = parse(t, run)
	listed, cards := metricsOf(root)
	for _, gone := range []string{"Cohen’s kappa", "Calibration error", "Average precision"} {
		if slices.Contains(listed, gone) || slices.Contains(cards, gone) {
			t.Errorf("%s is listed", gone)
		}
	}
	for _, name := range []string{"td", "data"} {
		for _, n := range elements(root, name) {
			if strings.HasPrefix(textOf(n), "0.0000") {
				t.Errorf("a metric that is missing is shown as 0: %s", textOf(n))
			}
		}
	}
	for _, table := range elements(root, "table") {
		if attribute(table, "class") != "classes" {
			continue
		}
		if strings.Contains(textOf(table), "verage precision") {
			t.Error("the classes have a column of the average precision")
		}
	}
}

// age removes metrics from evaluation.json.
func age(t *testing.T, run rundir.Dir, names ...string) {
	t.Helper()
	data, err := os.ReadFile(run.File("evaluation.json"))
	check(t, err)
	var document map[string]any
	check(t, json.Unmarshal(data, &document))
	for _, name := range names {
		delete(document, name)
		for _, class := range document["classes"].([]any) {
			delete(class.(map[string]any), name)
		}
	}
	check(t, run.WriteJSON("evaluation.json", document))
}

// metricsOf are the names in the list of all metrics and on the cards.
func metricsOf(root *html.Node) (listed, cards []string) {
	for _, table := range elements(root, "table") {
		if textOf(elements(table, "caption")[0]) == "All metrics" {
			for _, th := range elements(elements(table, "tbody")[0], "th") {
				listed = append(listed, textOf(th))
			}
		}
	}
	for _, span := range elements(root, "span") {
		if attribute(span, "class") == "name" {
			cards = append(cards, textOf(span))
		}
	}
	return listed, cards
}
