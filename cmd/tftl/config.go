package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/urfave/cli/v2"

	"tftl/pipeline"
	"tftl/pipeline/runfile"
)

// fromConfig sets the flags that a YAML file names and neither the command line
// nor the environment has set. Keys are the flags' names.
func fromConfig(c *cli.Context) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return pipeline.Errorf(pipeline.BadUsage, "--config: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return runfile.SyntaxError(path, err)
	}
	given := map[string]bool{} // by the command line or the environment, before any is set here
	for _, name := range c.FlagNames() {
		given[name] = true
	}
	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}
		mapping, ok := document.Body.(ast.MapNode)
		if !ok {
			return configError(path, document.Body, fmt.Errorf("is no mapping of options"))
		}
		for values := mapping.MapRange(); values.Next(); {
			name := values.Key().GetToken().Value
			err := setFlag(c, given, name, values.Value())
			if err != nil {
				return configError(path, values.Key(), err)
			}
		}
	}
	return nil
}

// isOption is an error where a command has no such option for a file to say.
func isOption(c *cli.Context, name string) error {
	known := slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == name })
	if !known || name == "config" || name == "help" {
		return fmt.Errorf("%q is no option of tftl %s", name, c.Command.Name)
	}
	return nil
}

func setFlag(c *cli.Context, given map[string]bool, name string, node ast.Node) error {
	if err := isOption(c, name); err != nil {
		return err
	}
	var value any
	if err := yaml.NodeToValue(node, &value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	values := []any{value}
	if list, ok := value.([]any); ok && isSlice(c, name) {
		values = list
	}
	for _, v := range values {
		switch v.(type) {
		case string, bool, int, int64, uint64, float64:
		default:
			return fmt.Errorf("%s: must be one value", name)
		}
		if given[name] {
			continue
		}
		if err := c.Set(name, fmt.Sprint(v)); err != nil {
			return invalid(name, fmt.Sprint(v), c.Command.Flags, name, err.Error())
		}
	}
	return nil
}

// isSlice says whether an option may be given more than once.
func isSlice(c *cli.Context, name string) bool {
	return slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool {
		_, many := f.(*cli.StringSliceFlag)
		return many && f.Names()[0] == name
	})
}

func configError(path string, node ast.Node, err error) error {
	at := node.GetToken().Position
	return pipeline.Errorf(pipeline.BadUsage, "%s:%d:%d: %w", path, at.Line, at.Column, err)
}
