package main

import (
	"testing"

	"github.com/urfave/cli/v2"

	"tftl/pipeline/runfile"
)

// A batch keeps a run that was evaluated with the same options. Renaming or
// adding a flag must not change their digest, or every batch evaluates again.
func TestDigestOfEvaluateOptionsStays(t *testing.T) {
	for bound, want := range map[string]string{
		"":             "beda18a53a12f5eb0b424c119507b4623dbb1a8d7c25e476b061796ce1b33104",
		"accuracy=0.9": "e8e3f834abf5abd247d561b2f7788593fb27769dcce6cc3cf9a441fc0b343d1e",
	} {
		c, err := withOptions(runfile.File{}, &cli.Command{Name: "evaluate", Flags: evaluateFlags()}, nil, "model", "runs/a")
		if err == nil && bound != "" {
			err = c.Set("min", bound)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := valuesDigest(c); got != want {
			t.Errorf("min %q: digest %s, want %s", bound, got, want)
		}
	}
}
