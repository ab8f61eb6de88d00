package main

import (
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"tftl"
	"tftl/internal/doctor"
	"tftl/internal/printable"
	"tftl/internal/ui"
	"tftl/pipeline"
	"tftl/savedmodels"
)

func newDoctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say whether this machine can do the work, and what to fix",
		Description: `Fails if something that was asked for cannot work: tftl doctor --device gpu needs
a GPU, tftl doctor alone does not.`,
		Flags: slices.Concat([]cli.Flag{jsonFlag(resultAsJSON)}, newCacheFlags(), runtimeFlags()),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			checks, err := examine(c)
			if err != nil {
				return err
			}
			if err := showChecks(newTerminal(c), checks, c.Bool("json")); err != nil || doctor.AllOK(checks) {
				return err
			}
			return pipeline.Errorf(pipeline.Other, "this machine cannot do what was asked for: %s", doctor.Names(checks))
		},
	}
}

// examine makes all checks. An error is a mistake on the command line.
func examine(c *cli.Context) ([]doctor.Check, error) {
	cache, err := newCache(c)
	if err != nil {
		return nil, err
	}
	h := doctor.Here()
	checks := []doctor.Check{doctor.Processor(h)}
	if doctor.AllOK(checks) { // else the library ends the program
		session, err := newSession(c)
		if err != nil {
			return nil, err
		}
		if session.GPUMemory > 0 && session.Device == "auto" {
			session.Device = "gpu" // a limit needs one
		}
		asked := savedmodels.Options{Precision: savedmodels.Precision(session.Precision), Device: session.Device}
		found, err := savedmodels.Examine(h, asked, func(device string) (*savedmodels.Runtime, error) {
			if session.Device = device; device == "cpu" && asked.Device != "cpu" {
				session.GPUMemory = 0
			}
			return tftl.Resolve(session)
		}, flag)
		if err != nil {
			return nil, err
		}
		checks = append(checks, found...)
	}
	checks = append(checks, doctor.Memory(h), doctor.Threads(h, c.Int("threads")), doctor.Temporary(h, os.TempDir()))
	switch {
	case cache.Homeless != nil:
		checks = append(checks, doctor.NoCache(cache.Homeless))
	case cache.Dir != "":
		checks = append(checks, doctor.Cache(h, cache.Dir, cache.MaxBytes, c.IsSet("cache-dir")))
	}
	return checks, nil
}

// showChecks prints a line for each check, and below it what to do.
func showChecks(t terminal, checks []doctor.Check, asJSON bool) error {
	if asJSON {
		return ui.WriteJSON(t.Out, struct {
			OK     bool           `json:"ok"`
			Checks []doctor.Check `json:"checks"`
		}{doctor.AllOK(checks), checks})
	}
	for _, check := range checks {
		if _, err := printable.Fprintf(t.Out, "%-8s %s: %s\n", check.State, check.Name, check.Found); err != nil {
			return err
		}
		if check.Fix != "" {
			if _, err := printable.Fprintf(t.Out, "%-8s   %s\n", "", check.Fix); err != nil {
				return err
			}
		}
	}
	return nil
}
