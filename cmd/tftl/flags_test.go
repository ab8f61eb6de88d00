package main

import (
	"reflect"
	"testing"

	commandline "tftl/internal/cli"
)

// A variable sets the same flag in every command, so the flag must have the same
// type everywhere. (A test cannot check that it means the same.)
func TestVariableHasOneType(t *testing.T) {
	types := map[string]reflect.Type{}
	for _, command := range commands() {
		for _, f := range command.Flags {
			variable, ok := commandline.Variable(f)
			if _, old := f.(*commandline.Renamed); old || !ok {
				continue
			}
			if was, seen := types[variable]; seen && was != reflect.TypeOf(f) {
				t.Errorf("%s is a %v, but for tftl %s a %T", variable, was, command.Name, f)
			}
			types[variable] = reflect.TypeOf(f)
		}
	}
	if _, ok := types["TFTL_OUTPUT"]; ok || types["TFTL_BATCH_SIZE"] == nil {
		t.Errorf("variables: %v", types)
	}
}
