package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"tftl/savedmodels"
)

func newVersionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "versions, devices, and what --precision auto means here",
		Flags: append([]cli.Flag{&cli.BoolFlag{Name: "json", Usage: "one JSON document"}}, runtimeFlags()...),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			r, err := resolveRuntime(c)
			if err != nil {
				return err
			}
			return runVersion(newTerminal(c), r, c.Bool("json"))
		},
	}
}

func runVersion(t terminal, r *savedmodels.Runtime, asJSON bool) error {
	if asJSON {
		return writeJSON(t.out, struct {
			Version  string `json:"version"`
			Go       string `json:"go"`
			Contract int    `json:"contract"`
			*savedmodels.Runtime
		}{version, runtime.Version(), savedmodels.Contract, r})
	}
	for _, row := range [][2]string{
		{"tftl", version},
		{"go", runtime.Version()},
		{"tensorflow", r.TensorFlow},
		{"contract", fmt.Sprint(savedmodels.Contract)},
		{"devices", strings.Join(r.Devices, ", ")},
		{"instructions", r.Instructions},
		{"precision", string(r.Precision)},
	} {
		if _, err := fmt.Fprintf(t.out, "%-13s %s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes one document, indented.
func writeJSON(w interface{ Write([]byte) (int, error) }, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
