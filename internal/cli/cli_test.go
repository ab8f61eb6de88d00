package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func newApp(action func(*cli.Context) error) *cli.App {
	return &cli.App{
		Name: "tftl", ExitErrHandler: func(*cli.Context, error) {}, DisableSliceFlagSeparator: true,
		Commands: []*cli.Command{{
			Name: "try", Action: action,
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "config"}, &cli.BoolFlag{Name: "json"}, &cli.StringSliceFlag{Name: "min"},
				&cli.IntFlag{Name: "epochs", Aliases: []string{"e"}, Value: 10}, &cli.StringFlag{Name: "part"},
				OldName("subset", "part"), &cli.StringFlag{Name: "output", EnvVars: NoVariable()},
			},
		}},
	}
}

func TestFlagsFirst(t *testing.T) {
	for line, want := range map[string]string{
		"tftl":                         "tftl",
		"tftl other a --json":          "tftl other a --json",
		"tftl try a --json b":          "tftl try --json -- a b",
		"tftl try a -e 3":              "tftl try -e 3 -- a",
		"tftl try a --epochs=3 b":      "tftl try --epochs=3 -- a b",
		"tftl try --json":              "tftl try --json",
		"tftl try - --json":            "tftl try --json -- -",
		"tftl try a -- --json":         "tftl try -- a --json",
		"tftl try --epochs":            "tftl try --epochs",
		"tftl try a --subset val":      "tftl try --subset val -- a",
		"tftl try --epochs -3 a --eek": "tftl try --epochs -3 --eek -- a",
	} {
		if got := FlagsFirst(newApp(nil).Commands, strings.Fields(line)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q, want %s", line, got, want)
		}
	}
}

// Typed flags override the environment, and the environment overrides the file.
func TestPrepare(t *testing.T) {
	for _, test := range []struct {
		name, typed, env, file string
		epochs                 int
		part                   string
		min                    []string
		fromEnvironment        bool // epochs
		warning, err           string
	}{
		{name: "defaults", epochs: 10},
		{name: "typed", typed: "-e 1", env: "TFTL_EPOCHS=2", file: "epochs: 3", epochs: 1},
		{name: "variable", env: "TFTL_EPOCHS=2", file: "epochs: 3", epochs: 2, fromEnvironment: true},
		{name: "empty variable", env: "TFTL_EPOCHS=", file: "epochs: 3", epochs: 3},
		{name: "file", file: "epochs: 3\nmin: [a=1, b=2]", epochs: 3, min: []string{"a=1", "b=2"}},
		{name: "one of a list", file: "min: a=1,b", epochs: 10, min: []string{"a=1,b"}},
		{name: "old flag", typed: "--subset val", epochs: 10, part: "val", warning: "--subset is now --part; "},
		{name: "old variable", env: "TFTL_SUBSET=val", epochs: 10, part: "val", warning: "TFTL_SUBSET is now TFTL_PART; "},
		{name: "old key", file: "subset: val", epochs: 10, part: "val", warning: "subset is now part; "},
		{name: "new flag over old variable", typed: "--part test", env: "TFTL_SUBSET=val", epochs: 10, part: "test"},
		{name: "new flag over old key", typed: "--part test", file: "subset: val", epochs: 10, part: "test", warning: "subset is now part; "},
		{name: "both", typed: "--part test --subset val", err: "--subset is the old name of --part: use only one of them"},
		{name: "no variable", env: "TFTL_OUTPUT=x", epochs: 10, warning: "TFTL_OUTPUT is ignored: in tftl try only --output sets this"},
		{name: "bad variable", env: "TFTL_EPOCHS=ten", err: `TFTL_EPOCHS "ten": must be a whole number`},
		{name: "bad value", file: "json: true\nepochs: 1.5", err: `:2:1: epochs "1.5": must be a whole number`},
		{name: "unknown key", file: "epoch: 1", err: `:1:1: tftl try has no option "epoch"`},
		{name: "list", file: "epochs: [1, 2]", err: ":1:1: epochs: must be a single value"},
		{name: "alias", file: "e: 1", err: `:1:1: tftl try has no option "e"`},
		{name: "alias of nothing", file: "epochs: *x", err: ":1:1: epochs: could not find alias \"x\""},
		{name: "syntax", file: "epochs: \"2", err: ":1:9: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"tftl", "try"}, strings.Fields(test.typed)...)
			if name, value, ok := strings.Cut(test.env, "="); ok {
				t.Setenv(name, value)
			}
			if test.file != "" {
				path := filepath.Join(t.TempDir(), "options.yaml")
				if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--config", path)
			}
			err := newApp(func(c *cli.Context) error {
				warnings, err := Prepare(c)
				if err != nil {
					return err
				}
				if text := strings.Join(warnings, "\n"); test.warning == "" && text != "" || !strings.HasPrefix(text, test.warning) {
					t.Errorf("warnings %q, want %q", text, test.warning)
				}
				if e, p, m := c.Int("epochs"), c.String("part"), c.StringSlice("min"); e != test.epochs || p != test.part || !slices.Equal(m, test.min) {
					t.Errorf("epochs %d, part %q, min %q", e, p, m)
				}
				if got := FromEnvironment(c, "epochs"); got != test.fromEnvironment {
					t.Errorf("from the environment: %v", got)
				}
				return nil
			}).Run(args)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	for text, want := range map[string]string{
		"flag provided but not defined: -epoch":                     "unknown flag --epoch; did you mean --epochs? tftl try --help lists the flags",
		"flag provided but not defined: -subse":                     "unknown flag --subse; tftl try --help lists the flags",
		"flag needs an argument: -epochs":                           "--epochs needs a value; tftl try --help lists the flags",
		`invalid value "x" for flag -e: parse error`:                `-e "x": must be a whole number; tftl try --help lists the flags`,
		`invalid value "9e9" for flag -epochs: value out of range`:  `--epochs "9e9": is out of range; tftl try --help lists the flags`,
		`invalid boolean value "maybe" for -json: parse error`:      `--json "maybe": must be true or false; tftl try --help lists the flags`,
		"something that no version of the library has said so far.": "something that no version of the library has said so far.; tftl try --help lists the flags",
	} {
		app := newApp(func(c *cli.Context) error {
			hint, err := Explain(c, errors.New(text))
			if got := err.Error() + "; " + hint; got != want {
				t.Errorf("%s: got %s, want %s", text, got, want)
			}
			return nil
		})
		if err := app.Run([]string{"tftl", "try"}); err != nil {
			t.Error(err)
		}
	}
}
