package main

import (
	"reflect"
	"testing"

	"github.com/urfave/cli/v2"

	"tftl/pipeline/runfile"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
)

// A Go program that uses the defaults of the library gets those of the command,
// but for where features are kept.
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
	request.Dataset = evaluate.Request{}.Dataset // of data without parts, which is not split
	if want := evaluate.NewRequest("run"); !reflect.DeepEqual(request.Request, want) {
		t.Errorf("flags   %+v\nlibrary %+v", request.Request, want)
	}
}
