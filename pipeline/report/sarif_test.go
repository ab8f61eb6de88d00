package report

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"tftl/pipeline/audit"
	"tftl/pipeline/audit/findings"
)

// writeSARIF writes an audit, and reads it with another program's types, which are those
// of the standard and no others.
func writeSARIF(t *testing.T, a Audit, folder string) *sarif.Report {
	t.Helper()
	var b bytes.Buffer
	check(t, a.SARIF(&b, Places{Data: folder, Apart: map[string]string{"test-data": "apart", "val-data": "/far/away"}}))
	decoder := json.NewDecoder(bytes.NewReader(b.Bytes()))
	decoder.DisallowUnknownFields()
	check(t, decoder.Decode(new(sarif.Report)))
	log, err := sarif.FromBytes(b.Bytes())
	check(t, err)
	for _, run := range log.Runs { // where its types leave no way to have none
		run.Language, run.Tool.Driver.Language, run.NewlineSequences = "en-US", "en-US", []string{"\n"}
	}
	check(t, log.Validate()) // against the standard's schema
	return log
}

func TestSARIFIsOfTheStandard(t *testing.T) {
	for name, a := range map[string]Audit{
		"usual": makeAudit(44, []string{"cat", "dog"}), "hostile": makeAudit(88, hostile()), "clean": makeAudit(0, []string{"cat", "dog"}),
	} {
		run := writeSARIF(t, a, "photos").Runs[0]
		if len(run.Results) != len(a.Rows) || len(run.Tool.Driver.Rules) != len(audit.Kinds()) {
			t.Errorf("%s: %d results of %d findings, %d rules", name, len(run.Results), len(a.Rows), len(run.Tool.Driver.Rules))
		}
		for i, result := range run.Results {
			row := a.Rows[i]
			if *result.RuleID != string(row.Kind) || *run.Tool.Driver.Rules[result.RuleIndex].ID != string(row.Kind) {
				t.Errorf("%s: the rule of a %s is %s", name, row.Kind, *result.RuleID)
			}
			place := result.Locations[0].PhysicalLocation.ArtifactLocation
			u, err := url.Parse(*place.URI)
			if err != nil || u.IsAbs() || strings.TrimPrefix(u.Path, "./") != "photos/"+row.Image && name != "hostile" {
				t.Errorf("%s: %s is at %s: %v", name, row.Image, *place.URI, err)
			}
			if (len(result.Suppressions) > 0) != row.Accepted {
				t.Errorf("%s: %s is suppressed %d times, accepted is %t", name, row.Image, len(result.Suppressions), row.Accepted)
			}
			if (result.Level == "error") != row.Leak {
				t.Errorf("%s: %s has the level %s, leak is %t", name, row.Image, result.Level, row.Leak)
			}
		}
	}
	// Data that is not below the folder of the command.
	run := writeSARIF(t, makeAudit(11, []string{"a b"}), "/data/my photos").Runs[0]
	place := run.Results[0].Locations[0].PhysicalLocation.ArtifactLocation
	base := run.OriginalUriBaseIds[*place.URIBaseID]
	if *place.URI != "a%20b/00000.jpg" || *base.URI != "file:///data/my%20photos/" {
		t.Errorf("%s in %s", *place.URI, *base.URI)
	}
}

// Images of a separate part are where that is.
func TestSARIFKnowsSeparateParts(t *testing.T) {
	a := makeAudit(11, []string{"cat"})
	for i, image := range []string{"cat/1.jpg", "test-data/cat/1.jpg", "val-data/cat/1.jpg"} {
		a.Rows[i].Image = image
	}
	run := writeSARIF(t, a, "photos").Runs[0]
	for i, want := range []string{"%SRCROOT% photos/cat/1.jpg", "%SRCROOT% apart/cat/1.jpg", "VAL-DATA cat/1.jpg"} {
		place := run.Results[i].Locations[0].PhysicalLocation.ArtifactLocation
		if got := *place.URIBaseID + " " + *place.URI; got != want {
			t.Errorf("%s is at %s, want %s", a.Rows[i].Image, got, want)
		}
	}
	if base := run.OriginalUriBaseIds["VAL-DATA"]; base.URI == nil || *base.URI != "file:///far/away/" {
		t.Errorf("validation images are in %v", run.OriginalUriBaseIds)
	}
}

// The fingerprint of a finding is its own: what else was found, on which processor and
// where the data is, does not matter.
func TestSARIFFingerprintsStay(t *testing.T) {
	prints := func(a Audit, folder string) map[string]string {
		of := map[string]string{}
		for i, result := range writeSARIF(t, a, folder).Runs[0].Results {
			of[a.Rows[i].Image+" "+*result.RuleID] = result.PartialFingerprints["finding/v1"]
		}
		return of
	}
	a := makeAudit(44, []string{"cat", "dog"})
	was := prints(a, "photos")
	fewer := a
	fewer.Rows = slices.Clone(a.Rows[7:])
	slices.Reverse(fewer.Rows)
	for i := range fewer.Rows {
		fewer.Rows[i].Score /= 2
		fewer.Rows[i].Group *= 3
		fewer.Rows[i].Detail = ""
	}
	seen := map[string]bool{}
	for finding, now := range prints(fewer, "/elsewhere") {
		if now == "" || now != was[finding] || seen[now] {
			t.Errorf("%s: the fingerprint was %q and is %q", finding, was[finding], now)
		}
		seen[now] = true
	}
	if one, two := (findings.Key{Image: "a", Kind: audit.Dark}), (findings.Key{Image: "a", Kind: audit.Blurred}); one.Fingerprint() == two.Fingerprint() {
		t.Error("two findings of an image have one fingerprint")
	}
}
