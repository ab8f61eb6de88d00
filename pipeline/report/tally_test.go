package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/report"
)

func TestTally(t *testing.T) {
	outcomes := func(names string) (all []pipeline.Outcome) {
		for _, name := range strings.Fields(names) {
			o := pipeline.Outcome{Prediction: pipeline.Prediction{Sample: pipeline.Sample{ID: name}}}
			if strings.HasPrefix(name, "bad") {
				o.Err = pipeline.WithHint(pipeline.Errorf(pipeline.BadData, "image %s: is text", name), "look at %s", name)
			}
			all = append(all, o)
		}
		return all
	}
	for _, test := range []struct {
		name        string
		skip, alone bool
		batches     []string
		kept        string // outcomes that are returned
		told        []string
		err, hint   string
	}{
		{name: "all good", batches: []string{"a b", "c"}, kept: "a b c"},
		{name: "nothing"},
		{
			name: "some bad", batches: []string{"a bad-b", "bad-c"}, kept: "a bad-b bad-c",
			told: []string{"fault: image bad-b: is text", "fault: image bad-c: is text"}, err: "2 of 3 images could not be classified", hint: "look at bad-b",
		},
		{
			name: "one of a list", batches: []string{"bad-a"}, kept: "bad-a",
			told: []string{"fault: image bad-a: is text"}, err: "1 of 1 images could not be classified", hint: "look at bad-a",
		},
		{name: "alone", alone: true, batches: []string{"bad-a"}, kept: "bad-a", err: "image bad-a: is text", hint: "look at bad-a"},
		{
			name: "a folder of one path, held until the second image", alone: true, batches: []string{"bad-a", "b bad-c"}, kept: "bad-a b bad-c",
			told: []string{"fault: image bad-a: is text", "fault: image bad-c: is text"}, err: "2 of 3 images could not be classified", hint: "look at bad-a",
		},
		{
			name: "skipped", skip: true, alone: true, batches: []string{"bad-a b", "bad-c"}, kept: "b",
			told: []string{"warning: image bad-a is skipped: is text", "warning: image bad-c is skipped: is text"},
		},
		{
			name: "all skipped", skip: true, alone: true, batches: []string{"bad-a", "bad-b"},
			told: []string{"warning: image bad-a is skipped: is text", "warning: image bad-b is skipped: is text"},
			err:  "no image is left: all 2 are bad; the first is bad-a: is text",
		},
	} {
		var kept, told []string
		tally := report.Tally{
			Skip: test.skip, Alone: test.alone,
			Warn:  func(format string, args ...any) { told = append(told, "warning: "+fmt.Sprintf(format, args...)) },
			Fault: func(err error) { told = append(told, "fault: "+err.Error()) },
		}
		for _, batch := range test.batches {
			for _, o := range tally.Count(outcomes(batch)) {
				kept = append(kept, o.Sample.ID)
			}
		}
		err := tally.Err()
		text, hint := "", pipeline.HintOf(err).String()
		if err != nil {
			text = err.Error()
		}
		if strings.Join(kept, " ") != test.kept || !slices.Equal(told, test.told) || text != test.err || hint != test.hint {
			t.Errorf("%s: keeps %q, tells %q, error %q with hint %q", test.name, kept, told, text, hint)
		}
		if err != nil && pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%s: the error is of kind %v", test.name, pipeline.KindOf(err))
		}
	}
}

// The command ends in an error before it is known whether the first image is the
// only one: then both are told.
func TestTallyTellsWhatItHolds(t *testing.T) {
	told := 0
	tally := report.Tally{Alone: true, Fault: func(error) { told++ }}
	tally.Count([]pipeline.Outcome{{Err: pipeline.Errorf(pipeline.BadData, "image a: is text")}})
	if told != 0 {
		t.Error("the error of the only image is printed before the command ends")
	}
	tally.Tell()
	tally.Tell()
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
