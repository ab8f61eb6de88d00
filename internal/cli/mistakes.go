package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// Explain rewords a mistake that the library found on the command line, and adds
// a hint.
//
// The library passes on the errors of Go's flag package, which have no types. They
// are recognised by their text; an error with another text is shown as it is.
func Explain(c *cli.Context, err error) (hint string, reworded error) {
	name, flags := c.App.Name, c.App.VisibleFlags()
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name, flags = name+" "+c.Command.Name, c.Command.VisibleFlags()
	}
	hint = name + " --help lists the flags"
	says := func(pattern string) []string {
		return regexp.MustCompile("(?s)^" + pattern + "$").FindStringSubmatch(err.Error())
	}
	if found := says(`flag provided but not defined: -+(.*)`); found != nil {
		err = fmt.Errorf("unknown flag %s", Dashed(found[1]))
		if near := cli.SuggestFlag(flags, found[1], true); len(found[1]) > 2 && strings.HasPrefix(near, "--"+found[1][:2]) {
			hint = "did you mean " + near + "? " + hint
		}
	} else if found := says(`flag needs an argument: -+(.*)`); found != nil {
		err = fmt.Errorf("%s needs a value", Dashed(found[1]))
	} else if found := says(`invalid (?:boolean )?value "(.*)" for (?:flag )?-+([^: ]+): (.*)`); found != nil {
		err = invalid(Dashed(found[2]), found[1], flagNamed(c, found[2]), found[3])
	}
	return hint, err
}

// flagNamed is the command's flag with a name, or nil.
func flagNamed(c *cli.Context, name string) cli.Flag {
	if i := slices.IndexFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }); i >= 0 {
		return c.Command.Flags[i]
	}
	return nil
}

// invalid says what the value of a flag must be. where is the flag or variable
// that the user wrote, and why is the library's error.
func invalid(where, value string, f cli.Flag, why string) error {
	must := why
	switch f.(type) {
	case nil:
		return errors.New(why)
	case *cli.IntFlag:
		must = "must be a whole number"
	case *cli.Uint64Flag:
		must = "must be a whole number, 0 or more"
	case *cli.Float64Flag:
		must = "must be a number"
		if point := strings.Replace(value, ",", ".", 1); point != value {
			if _, err := strconv.ParseFloat(point, 64); err == nil {
				must += ", with a decimal point: " + point
			}
		}
	case *cli.BoolFlag:
		must = "must be true or false"
	case *cli.DurationFlag:
		must = "must be a time with its unit, such as 30s or 50m"
	}
	if strings.Contains(why, "out of range") {
		must = "is out of range"
	}
	return fmt.Errorf("%s %q: %s", where, value, must)
}
