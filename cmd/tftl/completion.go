package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	commandline "tftl/internal/cli"
)

func newCompletionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "complete commands, flags and values in a shell",
		ArgsUsage: strings.Join(commandline.Shells(), "|"),
		Description: `Prints a script that completes the command line in a shell. To install it, type one of

   echo 'source <(tftl completion bash)' >>~/.bashrc
   echo 'source <(tftl completion zsh)' >>~/.zshrc
   tftl completion fish >~/.config/fish/completions/tftl.fish

zsh needs the line after compinit. The script has all that it offers, so tftl does not
run while you type. For fish, write it again after an update.`,
		Flags: commonFlags(),
		Action: func(c *cli.Context) error {
			known := strings.Join(commandline.Shells(), ", ")
			if c.NArg() != 1 {
				return usageError(c, fmt.Errorf("expected one shell of %s, got %d", known, c.NArg()), false)
			}
			script, ok := commandline.Completion(c.App, c.Args().First())
			if !ok {
				return usageError(c, fmt.Errorf("shell %q: must be one of %s", c.Args().First(), known), false)
			}
			_, err := io.WriteString(c.App.Writer, script)
			return err
		},
	}
}
