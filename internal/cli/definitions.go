package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// command is what completions and the manual say about a command.
type command struct {
	names       []string
	usage       string
	description string
	arguments   string   // what they are called; empty if there are none
	choices     []string // of the argument, if they are known
	options     []option
}

// option is what help, completions and the manual say about a flag.
type option struct {
	names    []string // as they are typed: --output, -o
	value    string   // what the value is called; empty if there is none
	usage    string
	initial  string // the default
	category string
	choices  []string // values that are known; there may be others
	repeats  bool
}

// Offered is a flag with values that completions offer. It may have others too, such
// as any number.
type Offered struct {
	*cli.StringFlag
	values []string
}

// Offer has completions offer values of a flag.
func Offer(f *cli.StringFlag, values ...string) *Offered { return &Offered{f, values} }

// Values are what completions offer.
func (f *Offered) Values() []string { return f.values }

// commands describes the commands that help lists, with the flags that it lists.
// Commands of commands are left out: tftl has none.
func commands(app *cli.App) []command {
	var list []command
	for _, c := range app.VisibleCommands() {
		described := command{names: c.Names(), usage: c.Usage, description: c.Description, arguments: c.ArgsUsage, options: options(c.Flags)}
		if strings.Contains(c.ArgsUsage, "|") {
			described.choices = strings.Split(c.ArgsUsage, "|")
		}
		list = append(list, described)
	}
	return list
}

// options describes visible flags, and --help, which the library adds to the flags
// of a command when it runs.
func options(flags []cli.Flag) []option {
	var list []option
	for _, f := range flags {
		visible, ok := f.(cli.VisibleFlag)
		if described := describe(f); (!ok || visible.IsVisible()) && !slices.Contains(described.names, "--help") {
			list = append(list, described)
		}
	}
	return append(list, describe(cli.HelpFlag))
}

// describe describes a flag. The word in backquotes in its usage is what its value is
// called.
func describe(f cli.Flag) option {
	var o option
	for _, name := range f.Names() {
		o.names = append(o.names, Dashed(name))
	}
	if d, ok := f.(cli.DocGenerationFlag); ok {
		o.usage = d.GetUsage()
		if d.TakesValue() {
			o.value = "value"
			if parts := strings.SplitN(o.usage, "`", 3); len(parts) == 3 {
				o.value, o.usage = parts[1], parts[0]+parts[1]+parts[2]
			}
			o.initial = strings.Trim(d.GetDefaultText(), `"`)
		}
	}
	if c, ok := f.(cli.CategorizableFlag); ok {
		o.category = c.GetCategory()
	}
	if offered, ok := f.(*Offered); ok {
		o.choices = offered.values
	}
	_, o.repeats = f.(*cli.StringSliceFlag)
	return o
}

// explained is the usage with the default.
func (o option) explained() string {
	if o.initial == "" {
		return o.usage
	}
	return o.usage + " (default: " + o.initial + ")"
}

// paths says which names of files a completion offers.
type paths string

const (
	noPaths paths = "nothing"
	folders paths = "folders"
	files   paths = "files" // and folders
)

// paths is what the value of an option is, by what it is called.
func (o option) paths() paths {
	switch {
	case strings.HasPrefix(o.value, "DIR"):
		return folders
	case strings.HasPrefix(o.value, "FILE"), strings.HasPrefix(o.value, "DATA"):
		return files
	}
	return noPaths
}

// takesFiles reports whether the arguments of a command are files or folders.
func (c command) takesFiles() bool { return c.arguments != "" && c.choices == nil }
