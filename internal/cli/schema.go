package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// object is a part of a JSON Schema.
type object = map[string]any

// Schemas are the JSON Schemas of the flags that a file may set, by name. They
// refer to the definitions "number" and "value".
func Schemas(flags []cli.Flag, not []string) map[string]any {
	schemas := object{}
	for _, f := range flags {
		name := f.Names()[0]
		if _, old := f.(*Renamed); old || slices.Contains(not, name) {
			continue
		}
		schema := object{"description": strings.ReplaceAll(f.(cli.DocGenerationFlag).GetUsage(), "`", "")}
		value := object{"$ref": "#/$defs/value"}
		switch f.(type) {
		case *cli.BoolFlag:
			schema["type"] = "boolean"
		case *cli.IntFlag:
			schema["type"] = "integer"
		case *cli.Uint64Flag:
			schema["type"], schema["minimum"] = "integer", 0
		case *cli.Float64Flag:
			schema["$ref"] = "#/$defs/number"
		case *cli.StringSliceFlag:
			schema["anyOf"] = []any{value, object{"type": "array", "items": value}}
		default:
			schema["$ref"] = value["$ref"]
		}
		schemas[name] = schema
	}
	return schemas
}
