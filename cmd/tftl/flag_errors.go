package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
)

// usageError is a mistake on the command line, as the library found it.
func usageError(c *cli.Context, err error, _ bool) error {
	name, flags := c.App.Name, c.App.Flags
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name, flags = name+" "+c.Command.Name, c.Command.Flags
	}
	hint := name + " --help lists the flags"
	says := func(pattern string) []string {
		return regexp.MustCompile("(?s)^" + pattern + "$").FindStringSubmatch(err.Error())
	}
	if found := says(`flag provided but not defined: -+(.*)`); found != nil {
		err = fmt.Errorf("there is no flag %s", dashed(found[1]))
		if near := cli.SuggestFlag(flags, found[1], true); len(found[1]) > 2 && strings.HasPrefix(near, "--"+found[1][:2]) {
			hint = near + " is the nearest; " + hint
		}
	} else if found := says(`flag needs an argument: -+(.*)`); found != nil {
		err = fmt.Errorf("%s needs a value", dashed(found[1]))
	} else if found := says(`invalid (?:boolean )?value "(.*)" for (?:flag )?-+([^: ]+): (.*)`); found != nil {
		err = invalid(dashed(found[2]), found[1], flags, found[2], found[3])
	} else if found := says(`could not parse "(.*)" as .* value from environment variable "(.*)" for flag (\S+): (.*)`); found != nil {
		err = invalid(found[2], found[1], flags, found[3], found[4])
	}
	return pipeline.WithHint(pipeline.Errorf(pipeline.BadUsage, "%w", err), "%s", hint)
}

// invalid says what a value given somewhere should have been. why is what the
// library says of it.
func invalid(where, value string, flags []cli.Flag, name, why string) error {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return errors.New(why)
	}
	must := why
	switch flags[i].(type) {
	case *cli.IntFlag:
		must = "must be a whole number"
	case *cli.Uint64Flag:
		must = "must be a whole number of 0 or more"
	case *cli.Float64Flag:
		must = "must be a number"
		if point := strings.Replace(value, ",", ".", 1); point != value {
			if _, err := strconv.ParseFloat(point, 64); err == nil {
				must += ", with a point: " + point
			}
		}
	case *cli.BoolFlag:
		must = "must be true or false"
	case *cli.DurationFlag:
		must = "must be a time with its unit, such as 30s or 50m"
	}
	if strings.Contains(why, "out of range") {
		must = "is beyond what a computer's number holds"
	}
	return fmt.Errorf("%s %q: %s", where, value, must)
}
