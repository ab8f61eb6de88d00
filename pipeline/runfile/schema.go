package runfile

// object is an object in a JSON Schema.
type object = map[string]any

// Schema returns the JSON Schema of a file of runs, which editors use to complete
// and check it. It has the types of values; the commands check the rest.
//
// fit and evaluate map each option of these commands to its schema, which may
// refer to the definitions "number" and "value".
func Schema(fit, evaluate map[string]any) any {
	axes := object{}
	for name := range fit {
		axes[name] = object{"type": "array", "minItems": 1, "items": object{"$ref": "#/$defs/fit/properties/" + name}}
	}
	name := object{"type": "string", "description": "name of the run's folder (default: what varies)"}
	include := object{NameKey: name}
	run := object{
		NameKey:     name,
		EvaluateKey: object{"$ref": "#/$defs/evaluate", "description": "options of tftl evaluate: how each run is measured on its test part, and the gates it must pass"},
		MatrixKey:   object{"$ref": "#/$defs/matrix"},
		FoldsKey:    object{"type": "integer", "minimum": 2, "description": "number of folds that tftl split wrote into the manifest; each is the test part of one run"},
	}
	for option := range fit {
		property := object{"$ref": "#/$defs/fit/properties/" + option}
		include[option], run[option] = property, property
	}
	axes[IncludeKey] = object{"type": "array", "minItems": 1, "items": closed(include), "description": "more runs, in addition to the combinations"}
	top := object{
		OutputKey: object{"type": "string", "description": "folder of the runs and their summary"},
		RankKey:   object{"type": "string", "description": "validation metric that ranks the runs, such as val_accuracy", "pattern": "^val_"},
		RunsKey:   object{"type": "array", "minItems": 1, "items": object{"$ref": "#/$defs/run"}, "description": "runs one by one; each overrides the options outside the list"},
	}
	for key, property := range run {
		if key != NameKey {
			top[key] = property
		}
	}
	schema := closed(top)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "tftl run: a batch of trainings"
	schema["description"] = "Options of tftl fit by their names, those of tftl evaluate under the key evaluate, and what varies."
	schema["$defs"] = object{
		"number": object{"type": []string{"number", "string"}, "pattern": "^[-+.0-9eE]+$"}, // YAML 1.1 reads 1e-3 as text
		"value":  object{"type": []string{"string", "number", "boolean"}},                  // text, or what YAML reads as another type
		"fit":    closed(fit), "evaluate": closed(evaluate), "run": closed(run),
		"matrix": object{"type": "object", "minProperties": 1, "additionalProperties": false, "properties": axes, "description": "options with lists of values; every combination is a run"},
	}
	return schema
}

func closed(properties object) object {
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}
