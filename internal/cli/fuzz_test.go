package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// FuzzConfig reads a configuration file. An error is one line that names the file.
func FuzzConfig(f *testing.F) {
	f.Add("epochs: 3\nmin: [a=1, 'b=2']\njson: true\n")
	f.Add("a: &a [x]\nepochs: *a\n")
	f.Add("min: &m [*m]\n")
	f.Add("part: !!binary aGk=\n---\nsubset: \"v\\u0061l\"\n")
	f.Add("? {epochs: 1}\n: |\n  x\n<<: {min: a}\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "options.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := newApp(func(c *cli.Context) error {
			_, err := Prepare(c)
			return err
		}).Run([]string{"tftl", "try", "--config", path})
		if err != nil && (!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q", err)
		}
	})
}
