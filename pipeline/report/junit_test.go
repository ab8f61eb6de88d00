package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/joshdk/go-junit"

	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
)

func TestJUnitIsReadByAnotherParser(t *testing.T) {
	var b strings.Builder
	err := report.WriteJUnit(&b,
		report.Suite{Name: "first", Cases: []report.Case{
			{Name: "accuracy >= 0.95", Class: "runs/first", Seconds: 1.5},
			{Name: "ece <= 0.05", Class: "runs/first", Failure: `ece 0.0600 is above 0.05 & "so" on`},
			{Name: "train", Class: "runs/first", Error: "diverged", Seconds: 61.25},
			{Name: "evaluate", Class: "runs/first", Skipped: "nothing was trained"},
		}},
		report.Suite{Name: "second", Cases: []report.Case{{Name: "accuracy >= 0.95", Class: "runs/second"}}},
		report.Suite{Name: "no gates"})
	if err != nil {
		t.Fatal(err)
	}
	suites, err := junit.IngestReader(strings.NewReader(b.String()))
	if err != nil || len(suites) != 3 {
		t.Fatalf("%d suites, %v", len(suites), err)
	}
	first := suites[0]
	if want := (junit.Totals{Tests: 4, Passed: 1, Failed: 1, Error: 1, Skipped: 1, Duration: 62750 * time.Millisecond}); first.Name != "first" || first.Totals != want {
		t.Errorf("%q with %+v, want %+v", first.Name, first.Totals, want)
	}
	for i, want := range []junit.Test{
		{Name: "accuracy >= 0.95", Status: junit.StatusPassed},
		{Name: "ece <= 0.05", Status: junit.StatusFailed, Message: `ece 0.0600 is above 0.05 & "so" on`},
		{Name: "train", Status: junit.StatusError, Message: "diverged"},
		{Name: "evaluate", Status: junit.StatusSkipped, Message: "nothing was trained"},
	} {
		got := first.Tests[i]
		if got.Name != want.Name || got.Status != want.Status || got.Message != want.Message || got.Classname != "runs/first" {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	// The written counts are those that the parser counts itself.
	for _, want := range []string{
		`<testsuites tests="5" failures="1" errors="1" skipped="1" time="62.750">`,
		`<testsuite name="first" tests="4" failures="1" errors="1" skipped="1" time="62.750">`,
		`<testsuite name="no gates" tests="0" failures="0" errors="0" skipped="0" time="0.000"></testsuite>`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not in\n%s", want, b.String())
		}
	}
}

// Names are other people's folder names: none is treated as markup or obeyed.
func TestJUnitOfHostileNames(t *testing.T) {
	for name, want := range map[string]string{
		"<script>alert(1)</script>": "<script>alert(1)</script>",
		`a" onload="x`:              `a" onload="x`,
		"]]><!-- &amp; <![CDATA[":   "]]><!-- &amp; <![CDATA[",
		"\x00\x1b[31mred\ufffe":     `\x00\x1b[31mred\ufffe`,
		"gpj.\u202excod":            `gpj.\u202excod`,
		"a\nb\tc":                   `a\nb\tc`,
		"חתול 🐈‍⬛ é":                "חתול 🐈‍⬛ é",
	} {
		var b strings.Builder
		if err := report.WriteJUnit(&b, report.Suite{Name: name, Cases: []report.Case{{Name: name, Class: name, Failure: name}}}); err != nil {
			t.Fatal(err)
		}
		for decoder := xml.NewDecoder(strings.NewReader(b.String())); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
		}
		suites, err := junit.Ingest([]byte(b.String()))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		test := suites[0].Tests[0]
		for _, got := range []string{suites[0].Name, test.Name, test.Classname, test.Message, test.Error.Error()} {
			if got != want {
				t.Errorf("%q is read as %q, want %q", name, got, want)
			}
		}
	}
}

// A run that failed has no gates to check, and one that was not begun is skipped.
func TestSuites(t *testing.T) {
	gates := []metrics.Outcome{{Gate: metrics.Gate{Name: "accuracy", Bound: 0.5}, Passed: true}, {Gate: metrics.Gate{Name: "f1", Bound: 1}}}
	b := report.Batch{Name: "runs.yaml", Runs: []report.BatchRun{
		{Run: metrics.Run{Name: "a", Report: &metrics.Report{Gates: gates}}, State: "done", Seconds: 1.5},
		{Run: metrics.Run{Name: "b"}, State: "failed", Error: "diverged"},
		{Run: metrics.Run{Name: "c"}, State: "to do"},
	}}
	passed := report.Comparison{A: "old", B: "new", Gate: &metrics.Verdict{NoWorse: metrics.NoWorse{Metric: "f1"}, Passed: true}}
	failed := passed
	failed.Gate = &metrics.Verdict{NoWorse: passed.Gate.NoWorse}
	got := append(b.Suites(), passed.Suite(), failed.Suite(), report.Comparison{A: "old", B: "new"}.Suite())
	one := report.Case{Name: passed.Gate.Demand(), Class: "tftl compare old new"}
	missed := one
	missed.Failure = failed.Gate.String()
	want := []report.Suite{
		{Name: "runs.yaml a", Cases: []report.Case{
			{Name: "trained and evaluated", Class: "runs.yaml a", Seconds: 1.5},
			{Name: gates[0].Gate.Demand(), Class: "runs.yaml a"},
			{Name: gates[1].Gate.Demand(), Class: "runs.yaml a", Failure: gates[1].String()},
		}},
		{Name: "runs.yaml b", Cases: []report.Case{{Name: "trained and evaluated", Class: "runs.yaml b", Error: "diverged"}}},
		{Name: "runs.yaml c", Cases: []report.Case{{Name: "trained and evaluated", Class: "runs.yaml c", Skipped: "to do"}}},
		{Name: one.Class, Cases: []report.Case{one}},
		{Name: one.Class, Cases: []report.Case{missed}},
		{Name: one.Class},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestJUnitHandsOnAnError(t *testing.T) {
	if err := report.WriteJUnit(broken{}, report.Suite{}); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("%v", err)
	}
}
