package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline/runfile"
)

// object is a part of a JSON Schema.
type object = map[string]any

// batchSchema is the JSON Schema of a batch's file, by which editors complete
// and check it. It is made of the commands' flags; what a value may be beyond
// its type, the commands say.
func batchSchema() any {
	fit, evaluate := optionSchemas(newFitCommand()), optionSchemas(newEvaluateCommand())
	axes := object{}
	for name := range fit {
		axes[name] = object{"type": "array", "minItems": 1, "items": object{"$ref": "#/$defs/fit/properties/" + name}}
	}
	name := object{"type": "string", "description": "of the run's folder; what varies, where it is not said"}
	include := object{runfile.NameKey: name}
	run := object{
		runfile.NameKey:     name,
		runfile.EvaluateKey: object{"$ref": "#/$defs/evaluate", "description": "options of tftl evaluate: how each run is measured on its test part, and the gates that it must pass"},
		runfile.MatrixKey:   object{"$ref": "#/$defs/matrix"},
		runfile.FoldsKey:    object{"type": "integer", "minimum": 2, "description": "how many folds the manifest has, which tftl split --folds wrote; each is the test part of one run"},
	}
	for option := range fit {
		property := object{"$ref": "#/$defs/fit/properties/" + option}
		include[option], run[option] = property, property
	}
	axes[runfile.IncludeKey] = object{"type": "array", "minItems": 1, "items": closed(include), "description": "further runs, beside the combinations"}
	top := object{
		runfile.OutputKey: object{"type": "string", "description": "folder of the runs and of their summary"},
		runfile.RankKey:   object{"type": "string", "description": "figure of the validation part that the runs are ranked by: val_accuracy", "pattern": "^val_"},
		runfile.RunsKey:   object{"type": "array", "minItems": 1, "items": object{"$ref": "#/$defs/run"}, "description": "each over what stands outside the list"},
	}
	for key, property := range run {
		if key != runfile.NameKey {
			top[key] = property
		}
	}
	schema := closed(top)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "tftl run: a batch of trainings"
	schema["description"] = "Options of tftl fit by their names, those of tftl evaluate below evaluate, and what varies."
	schema["$defs"] = object{
		"number": object{"type": []string{"number", "string"}, "pattern": "^[-+.0-9eE]+$"}, // 1e-3 is a word to YAML 1.1
		"value":  object{"type": []string{"string", "number", "boolean"}},                  // a word or what YAML takes for something else
		"fit":    closed(fit), "evaluate": closed(evaluate), "run": closed(run),
		"matrix": object{"type": "object", "minProperties": 1, "additionalProperties": false, "properties": axes, "description": "options with lists of values: every combination is a run"},
	}
	return schema
}

func closed(properties object) object {
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

// optionSchemas are the options of a command that a batch may say.
func optionSchemas(command *cli.Command) object {
	schemas := object{}
	not := decided(command.Name)
	for _, f := range command.Flags {
		name := f.Names()[0]
		if slices.Contains(not, name) {
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
