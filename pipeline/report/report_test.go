package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"tftl/pipeline/metrics"
)

// sketches are the runs that the tests look at.
func sketches() map[string]sketch {
	many := make([]string, 100)
	for i := range many {
		many[i] = "class " + string(rune('a'+i/26)) + string(rune('a'+i%26))
	}
	return map[string]sketch{
		"two": {classes: []string{"cat", "dog"}, samples: 60, epochs: 23, stages: []string{"head", "block5"}, skill: 1.5, gallery: true,
			decision: metrics.Decision{Threshold: 0.62, ThresholdFrom: "f1 on validation", Temperature: 1.3, TemperatureFrom: "fitted on validation"},
			slices:   map[string][]string{"camera": {"front", "rear", "<i>"}}},
		"hostile":   {classes: hostile(), samples: 300, epochs: 3, stages: []string{"head"}, skill: 2, gallery: true},
		"many":      {classes: many, samples: 1000, epochs: 40, stages: []string{"head"}, skill: 3},
		"perfect":   {classes: []string{"a", "b", "c"}, samples: 9, epochs: 1, stages: []string{"head"}, skill: 50, gallery: true},
		"untested":  {classes: []string{"a", "b"}, epochs: 5, stages: []string{"head"}},
		"untrained": {classes: []string{"a", "b"}, stages: []string{"head"}},
	}
}

// The pages are kept where REPORT_DIR says, to be looked at in a browser.
func TestPagesAreMade(t *testing.T) {
	for name, s := range sketches() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if keep := os.Getenv("REPORT_DIR"); keep != "" {
				dir = keep
			}
			run := makeRun(t, filepath.Join(dir, name), s)
			var html, md bytes.Buffer
			check(t, HTML(&html, run))
			check(t, Markdown(&md, run))
			check(t, os.WriteFile(run.File("report.html"), html.Bytes(), 0o644))
			check(t, os.WriteFile(run.File("report.md"), md.Bytes(), 0o644))
		})
	}
}
