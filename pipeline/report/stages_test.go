package report

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"tftl/pipeline"
	"tftl/pipeline/rundir"
)

func TestRunThatWasCutOffSaysSo(t *testing.T) {
	run, root := makePage(t, "two", sketches()["two"])
	if strings.Contains(textOf(root), "Training is not finished") {
		t.Error("a run without a last checkpoint may be finished")
	}
	recorder := &rundir.Recorder{Dir: run}
	check(t, os.MkdirAll(run.File("checkpoints"), 0o755))
	check(t, recorder.Save(pipeline.Last, pipeline.State{Begun: true, InStage: 2, Epochs: 2}, func(string) error { return nil }))
	recorder.TimeLimit(90 * time.Second)
	want := "Training is not finished: stopped after 1m30s in epoch 3 of 5 of stage head; not tried yet: block5. tftl fit can resume it."
	if all := textOf(parse(t, run)); !strings.Contains(all, want) {
		t.Error("the page does not say it")
	}
	var brief bytes.Buffer
	check(t, Markdown(&brief, run))
	if !strings.Contains(brief.String(), "> **Note** "+plain(want)) {
		t.Errorf("the short report does not say it:\n%.300s", &brief)
	}
}

func TestStagesAreCompared(t *testing.T) {
	_, root := makePage(t, "two", sketches()["two"])
	var rows []string
	for _, table := range elements(root, "table") {
		if strings.HasPrefix(strings.TrimSpace(textOf(table)), "Best epoch of each stage") {
			for _, row := range elements(table, "tr") {
				rows = append(rows, strings.Join(strings.Fields(textOf(row)), " "))
			}
		}
	}
	if len(rows) != 3 || !strings.HasPrefix(rows[1], "head") || !strings.HasPrefix(rows[2], "block5") {
		t.Errorf("the stages are %q", rows)
	}
	_, root = makePage(t, "many", sketches()["many"])
	if strings.Contains(textOf(root), "Best epoch of each stage") {
		t.Error("a single stage is compared with nothing")
	}
}
