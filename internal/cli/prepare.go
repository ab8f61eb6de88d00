package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// Renamed is the old name of a flag. It works for one release, with a warning, and
// is hidden in help.
type Renamed struct {
	*cli.StringFlag
	to string
}

// OldName makes old an alias of the flag to.
func OldName(old, to string) *Renamed {
	return &Renamed{&cli.StringFlag{Name: old, Hidden: true}, to}
}

// NoVariable, as a flag's EnvVars, gives the flag no environment variable. It is
// for a flag that means different things in different commands.
func NoVariable() []string { return []string{} }

// Variable is the environment variable of a flag; ok is false if it has none.
func Variable(f cli.Flag) (name string, ok bool) {
	name = "TFTL_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))
	if f, ok := f.(cli.DocGenerationFlag); ok && f.GetEnvVars() != nil {
		return name, false
	}
	return name, f.Names()[0] != "help"
}

// Prepare sets the flags that were not typed, first from the environment and then
// from the file of --config. It returns warnings about old names and about
// variables that are not read.
func Prepare(c *cli.Context) (warnings []string, err error) {
	typed := map[string]bool{}
	for _, name := range c.LocalFlagNames() {
		typed[name] = true
	}
	for _, f := range c.Command.Flags {
		old, ok := f.(*Renamed)
		if !ok || !typed[old.Name] {
			continue
		}
		if typed[old.to] {
			return nil, fmt.Errorf("--%s is the old name of --%s: use only one of them", old.Name, old.to)
		}
		warnings = append(warnings, renamed(Dashed(old.Name), Dashed(old.to)))
		if err := c.Set(old.to, c.String(old.Name)); err != nil {
			return nil, err
		}
		typed[old.to] = true
	}
	more, err := Environment(c, func(name string) bool { return typed[name] })
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, more...)
	more, err = fromConfig(c)
	return append(warnings, more...), err
}

func renamed(old, now string) string {
	return fmt.Sprintf("%s is now %s; the next release removes the old name", old, now)
}

// The key of App.Metadata under which Environment records what it set.
const fromEnvironment = "flags from the environment"

// Environment sets a command's flags from TFTL_ variables, except those to skip.
// An empty variable counts as unset.
//
// The library could do this itself, but then a typed flag could not be told from
// one that a variable set.
func Environment(c *cli.Context, skip func(name string) bool) (warnings []string, err error) {
	read := map[string]bool{}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		variable, ok := Variable(f)
		value := os.Getenv(variable)
		if value == "" || skip(name) {
			continue
		}
		old, isOld := f.(*Renamed)
		switch {
		case !ok && !isOld:
			warnings = append(warnings, fmt.Sprintf("%s is ignored: in tftl %s only %s sets this", variable, c.Command.Name, Dashed(name)))
			continue
		case !ok || isOld && skip(old.to):
			continue
		case isOld:
			now, _ := Variable(flagNamed(c, old.to))
			if os.Getenv(now) != "" {
				continue
			}
			warnings = append(warnings, renamed(variable, now))
			name, f = old.to, flagNamed(c, old.to)
		}
		if err := set(c, f, value); err != nil {
			return nil, invalid(variable, value, f, err.Error())
		}
		read[name] = true
	}
	c.App.Metadata[fromEnvironment] = read
	return warnings, nil
}

// FromEnvironment says whether a variable set a flag, rather than the command
// line or a file.
func FromEnvironment(c *cli.Context, name string) bool {
	set, _ := c.App.Metadata[fromEnvironment].(map[string]bool)
	return set[name]
}
