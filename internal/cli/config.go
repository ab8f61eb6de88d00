package cli

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/urfave/cli/v2"

	"tftl/internal/regular"
	"tftl/internal/yamltext"
)

// fromConfig sets flags from the file of --config, unless they are already set.
// The file's keys are the names of flags.
func fromConfig(c *cli.Context) (warnings []string, err error) {
	path := c.String("config")
	if path == "" {
		return nil, nil
	}
	text, err := regular.Read(path, yamltext.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	file, err := yamltext.Parse(text)
	if err != nil {
		return nil, syntaxError(path, err)
	}
	given := map[string]bool{} // what was set before the file
	for _, name := range c.LocalFlagNames() {
		given[name] = true
	}
	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}
		mapping, ok := document.Body.(ast.MapNode)
		if !ok {
			return nil, at(path, document.Body, errors.New("must be a mapping of options to values"))
		}
		for values := mapping.MapRange(); values.Next(); {
			name := values.Key().GetToken().Value
			if err := IsOption(c, name); err != nil {
				return nil, at(path, values.Key(), err)
			}
			if old, ok := flagNamed(c, name).(*Renamed); ok {
				warnings = append(warnings, renamed(name, old.to))
				name = old.to
			}
			if given[name] {
				continue
			}
			if err := SetOption(c, name, values.Value()); err != nil {
				return nil, at(path, values.Key(), err)
			}
		}
	}
	return warnings, nil
}

// IsOption returns an error if a file cannot set a flag of this name, because the
// command does not have it or it is only for the command line.
func IsOption(c *cli.Context, name string) error {
	if f := flagNamed(c, name); f == nil || f.Names()[0] != name || name == "config" || name == "help" {
		return fmt.Errorf("tftl %s has no option %q", c.Command.Name, name)
	}
	return nil
}

// SetOption sets a flag to a value from a file, or to a list of values if the flag
// may be repeated.
func SetOption(c *cli.Context, name string, node ast.Node) error {
	var value any
	if err := yaml.NodeToValue(node, &value); err != nil {
		if bad := yaml.Error(nil); errors.As(err, &bad) { // its text shows lines of the file
			err = errors.New(bad.GetMessage())
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	f := flagNamed(c, name)
	values := []any{value}
	if _, repeats := f.(*cli.StringSliceFlag); repeats {
		if list, ok := value.([]any); ok {
			values = list
		}
	}
	texts := make([]string, len(values))
	for i, v := range values {
		switch v.(type) {
		case string, bool, int, int64, uint64, float64:
		default:
			return fmt.Errorf("%s: must be a single value", name)
		}
		texts[i] = fmt.Sprint(v)
	}
	if err := set(c, f, texts...); err != nil {
		return invalid(name, texts[0], f, err.Error())
	}
	return nil
}

// set sets a flag. Values of a flag that may be repeated are serialised first,
// because the cli library would otherwise split them at commas.
func set(c *cli.Context, f cli.Flag, values ...string) error {
	if _, repeats := f.(*cli.StringSliceFlag); repeats {
		return c.Set(f.Names()[0], cli.NewStringSlice(values...).Serialize())
	}
	return c.Set(f.Names()[0], values[0])
}

// at names the place of an error in a file.
func at(path string, node ast.Node, err error) error {
	position := node.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %w", path, position.Line, position.Column, err)
}

// syntaxError names the place of an error that the YAML parser found.
func syntaxError(path string, err error) error {
	var bad yaml.Error
	if !errors.As(err, &bad) || bad.GetToken() == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	position := bad.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s", path, position.Line, position.Column, bad.GetMessage())
}
