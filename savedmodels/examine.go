package savedmodels

import (
	"os"
	"path/filepath"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/internal/doctor"
	"tftl/internal/libtensorflow"
	"tftl/pipeline"
)

// Examine checks TensorFlow's library and what it finds on a machine. resolve calls
// Resolve with a device and otherwise with what was asked for, of which o has the precision
// and the device. The checks spell options as their reader knows them. An error is a
// mistake in the options.
func Examine(h doctor.Host, o Options, resolve func(device string) (*Runtime, error), spell pipeline.Spelling) ([]doctor.Check, error) {
	if _, _, err := selectDevice(sessionConfig(0), o); err != nil {
		return nil, err
	}
	library, err := library()
	if err != nil {
		return []doctor.Check{doctor.NoLibrary(h, program(), err, libtensorflow.Version)}, nil
	}
	device := "cpu" // TensorFlow may end the program if it begins to use a GPU and something is missing
	var gpu []doctor.Check
	if o.Device != device {
		if gpu = doctor.GPU(h, library, o.Device); doctor.Usable(gpu) {
			device = o.Device
		}
	}
	r, failure := resolve(device)
	precision := doctor.Check{Name: "precision", State: doctor.OK}
	switch {
	case failure != nil && pipeline.KindOf(failure) == pipeline.BadUsage && pipeline.HintOf(failure).Empty(): // on any machine
		return nil, failure
	case pipeline.OptionOf(failure) == "precision":
		precision = doctor.Check{Name: "precision", State: doctor.Failed, Found: pipeline.ErrorText(failure, spell), Fix: pipeline.HintOf(failure).Text(spell)}
	case failure != nil:
		library.Failure = pipeline.ErrorText(failure, spell)
	}
	if failure != nil {
		if r, err = Resolve(Options{Device: "cpu"}); err != nil {
			return nil, err
		}
	}
	library.Devices, library.Instructions = r.Devices, r.Instructions
	if precision.Found == "" {
		precision.Found = string(r.Precision)
		if o.Precision == Auto {
			precision.Found = "auto, which is " + precision.Found + " here"
		}
	}
	checks := append([]doctor.Check{doctor.Library(library, libtensorflow.Version), doctor.Kernels(h, library), precision}, gpu...)
	if device != "cpu" && precision.State == doctor.OK {
		checks = append(checks, doctor.InUse(library, device))
	}
	return checks, nil
}

// program is the file of this program, without links, or empty if that is not known.
func program() string {
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return ""
	}
	return path
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
	checks := doctor.GPU(doctor.Here(), library, device)
	if doctor.AllOK(checks) {
		checks = append(checks, doctor.InUse(library, device))
	}
	return pipeline.WithHint(err, "%s", doctor.Hint(checks))
}
