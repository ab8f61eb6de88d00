package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/internal/libtensorflow"
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/savedmodels"
)

func newVersionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "show versions, devices and what --precision auto means here",
		Flags: append([]cli.Flag{jsonFlag(resultAsJSON)}, runtimeFlags()...),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			files, err := libtensorflow.Open()
			if err != nil {
				return err
			}
			return runVersion(newTerminal(c), r, files.Library, c.Bool("json"))
		},
	}
}

func runVersion(t terminal, r *savedmodels.Runtime, library string, asJSON bool) error {
	if asJSON {
		return ui.WriteJSON(t.Out, struct {
			Version  string `json:"version"`
			Go       string `json:"go"`
			Contract int    `json:"contract"`
			Library  string `json:"library"`
			*savedmodels.Runtime
		}{version, runtime.Version(), savedmodels.Contract, library, r})
	}
	for _, row := range [][2]string{
		{"tftl", version},
		{"go", runtime.Version()},
		{"tensorflow", r.TensorFlow},
		{"library", library},
		{"contract", fmt.Sprint(savedmodels.Contract)},
		{"devices", strings.Join(r.Devices, ", ")},
		{"instructions", r.Instructions},
		{"precision", string(r.Precision)},
	} {
		if _, err := printable.Fprintf(t.Out, "%-13s %s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}
