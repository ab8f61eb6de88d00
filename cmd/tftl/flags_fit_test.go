package main

import (
	"cmp"
	"reflect"
	"slices"
	"testing"

	"github.com/urfave/cli/v2"

	"tftl/pipeline/runfile"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
)

// The library and the command have the same defaults, except for the place of
// the feature cache.
func TestDefaultsAreTheLibrarys(t *testing.T) {
	c, err := withOptions(runfile.File{}, &cli.Command{Name: "fit", Flags: fitFlags()}, nil, "output", "run")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"data": "/data", "model": "/model", "cache": "ram"} {
		if err := c.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	fit, err := newFitRequest(c)
	fit.Cache.Overflow = ""
	if want := train.NewRequest("/data", "/model", "run"); err != nil || !reflect.DeepEqual(fit.Request, want) {
		t.Errorf("%v\nflags   %+v\nlibrary %+v", err, fit.Request, want)
	}
	if c, err = withOptions(runfile.File{}, &cli.Command{Name: "evaluate", Flags: evaluateFlags()}, nil, "model", "run"); err != nil {
		t.Fatal(err)
	}
	request, err := newEvaluateRequest(c)
	if err != nil {
		t.Fatal(err)
	}
	request.Dataset = evaluate.Request{}.Dataset // evaluate does not split data without parts
	if want := evaluate.NewRequest("run"); !reflect.DeepEqual(request.Request, want) {
		t.Errorf("flags   %+v\nlibrary %+v", request.Request, want)
	}
}

// A flag that nobody reads is as silent as a misspelt one: each changes what is
// asked for.
func TestEveryFlagDoesSomething(t *testing.T) {
	base := map[string]string{"data": "/data", "model": "/model", "cache": "ram", "augment-copies": "0", "horizontal-flip": "true"}
	other := map[string]string{ // where a value of the type is not a valid one
		"on-bad-image": "skip", "split": "0.5,0.25,0.25", "layout": "classes", "schedule": "cosine", "monitor": "val_accuracy", "stage": "block2",
		"cache": "off", "cache-size": "3GB", "precision": "float32", "device": "cpu", "gpu-memory": "4GB", "augment": "strong", "fill-mode": "wrap", "units": "7",
		"zoom-range": "0.5", "random-resized-crop": "0.5", "brightness-range": "0.5,2", "contrast-range": "0.5,2", "decay-rate": "0.5",
		"sampler": "balanced", "feature-scale": "none", "output-init": "glorot",
	}
	prints := []string{"quiet", "verbose", "config", "log-file", "resume", "cache-dir"} // cache-dir is of cache disk
	with := map[string]map[string]string{                                               // what a flag needs
		"tune":       {"horizontal-flip": "false"},
		"tune-folds": {"horizontal-flip": "false", "tune": "7"},
	}
	request := func(needs map[string]string, name, value string) fitRequest {
		t.Helper()
		c, err := withOptions(runfile.File{}, &cli.Command{Name: "fit", Flags: fitFlags()}, nil, "output", "run")
		if err != nil {
			t.Fatal(err)
		}
		for _, values := range []map[string]string{base, needs} {
			for name, value := range values {
				if err := c.Set(name, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		if name != "" {
			if err := c.Set(name, value); err != nil {
				t.Fatalf("--%s %s: %v", name, value, err)
			}
		}
		r, err := newFitRequest(c)
		if err != nil {
			t.Fatalf("--%s %s: %v", name, value, err)
		}
		return r
	}
	for _, f := range fitFlags() {
		name := f.Names()[0]
		value, ok := other[name]
		switch f.(type) {
		case *cli.BoolFlag:
			value = map[bool]string{true: "false", false: "true"}[base[name] == "true"]
		case *cli.DurationFlag:
			value = "7m"
		case *cli.IntFlag, *cli.Uint64Flag:
			value = "7"
		case *cli.Float64Flag:
			value = cmp.Or(value, "0.25")
		default:
			if !ok {
				value = "/other"
			}
		}
		if slices.Contains(prints, name) {
			continue
		}
		if reflect.DeepEqual(request(with[name], name, value), request(with[name], "", "")) {
			t.Errorf("--%s %s changes nothing", name, value)
		}
	}
}
