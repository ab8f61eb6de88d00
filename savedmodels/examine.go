package savedmodels

import (
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/internal/doctor"
	"tftl/internal/libtensorflow"
	"tftl/pipeline"
)

// Examine checks TensorFlow's library and what it finds on a machine. resolve calls
// Resolve with what was asked for, of which o has the precision and the device. The checks
// spell options as their reader knows them. An error is a mistake in the options.
func Examine(h doctor.Host, o Options, resolve func() (*Runtime, error), spell pipeline.Spelling) ([]doctor.Check, error) {
	library, err := library()
	if err != nil {
		return []doctor.Check{doctor.NoLibrary(err, libtensorflow.Version)}, nil
	}
	r, failure := resolve()
	if failure != nil {
		if pipeline.KindOf(failure) == pipeline.BadUsage && pipeline.HintOf(failure).Empty() { // on any machine
			return nil, failure
		}
		if r, err = Resolve(Options{}); err != nil {
			library.Failure = err.Error()
			r, err = Resolve(Options{Device: "cpu"})
		}
		if err != nil {
			return nil, err
		}
	}
	library.Devices, library.Instructions = r.Devices, r.Instructions
	checks := []doctor.Check{doctor.Library(library, libtensorflow.Version), doctor.Kernels(h, library)}
	switch {
	case pipeline.OptionOf(failure) == "precision":
		checks = append(checks, doctor.Check{Name: "precision", State: doctor.Failed, Found: pipeline.ErrorText(failure, spell), Fix: pipeline.HintOf(failure).Text(spell)})
	case o.Precision == Auto:
		checks = append(checks, doctor.Check{Name: "precision", State: doctor.OK, Found: "auto, which is " + string(r.Precision) + " here"})
	default:
		checks = append(checks, doctor.Check{Name: "precision", State: doctor.OK, Found: string(r.Precision)})
	}
	if o.Device != "cpu" {
		checks = append(checks, doctor.GPU(h, library, o.Device)...)
	}
	return checks, nil
}

// library is what is known of TensorFlow's library before it is asked for devices.
func library() (doctor.TensorFlow, error) {
	files, err := libtensorflow.Open()
	if err != nil {
		return doctor.TensorFlow{}, err
	}
	return doctor.TensorFlow{Library: files.Library, Framework: files.Framework, Version: tf.Version()}, nil
}

// noGPU is the error if a GPU was asked for and TensorFlow does not list it. Its hint is
// what is wrong with this machine.
func noGPU(device string, devices []string, reason error) error {
	err := pipeline.Errorf(pipeline.BadUsage, "%s %s: TensorFlow finds no such GPU, only %s", pipeline.Option("device"), device, strings.Join(devices, ", "))
	if reason != nil {
		err = pipeline.Errorf(pipeline.BadUsage, "%s %s: %w", pipeline.Option("device"), device, reason)
	}
	library, unknown := library()
	if unknown != nil {
		return err
	}
	return pipeline.WithHint(err, "%s", doctor.Hint(doctor.GPU(doctor.Here(), library, device)))
}
