package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/joshdk/go-junit"

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

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestJUnitHandsOnAnError(t *testing.T) {
	if err := report.WriteJUnit(broken{}, report.Suite{}); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("%v", err)
	}
}
