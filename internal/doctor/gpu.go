package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/cuda"
	"tftl/internal/printable"
)

// What TensorFlow's CUDA build needs of a driver. Any CUDA 12 works with it, but kernels
// are for its own.
const (
	cudaVersion  = 12
	oldestDriver = "525.60.13"
)

const (
	newerDriver = "install NVIDIA's driver " + oldestDriver + " or newer"
	getCUDA     = "for a GPU, use TensorFlow's CUDA build: make GPU=1 in a checkout, the CUDA add-on of a release, or pip install 'tftl[cuda]'"
	inContainer = "in a container, start it with its GPUs, such as docker run --gpus all; elsewhere "
)

// GPU checks what TensorFlow needs for a GPU. The device is what was asked for: auto, gpu
// or gpu:N.
func GPU(h Host, tf TensorFlow, device string) []Check {
	kind, number, _ := strings.Cut(device, ":")
	l := &list{asked: kind == "gpu"}
	if tf.Framework == "" {
		tf.Framework = tf.Library // an old one is in one piece
	}
	framework, err := h.Build(tf.Framework)
	library, err2 := h.Build(tf.Library)
	if err := errors.Join(err, err2); err != nil {
		l.bad("GPU support", err.Error(), "")
		return l.checks
	}
	kernels := library.Kernels
	if len(kernels) == 0 {
		kernels = framework.Kernels
	}
	if len(kernels) == 0 {
		l.bad("GPU support", "this TensorFlow is built without it", getCUDA)
		if !l.asked { // nothing is wrong with that
			l.checks[0].State = OK
		}
		return l.checks
	}
	l.ok("GPU support", "built with CUDA %d for compute capability %s", cudaVersion, capabilities(kernels))
	s := newSearch(h, tf.Framework, framework)
	driver, works := l.driver(s)
	if works {
		l.devices(driver, cuda.Build{Kernels: kernels}, number)
	}
	l.deviceFiles(h, works)
	l.libraries(s)
	return l.checks
}

// capabilities lists compute capabilities, such as "8.0, 9.0 and later".
func capabilities(kernels []cuda.Kernel) string {
	var names []string
	later := ""
	for _, k := range kernels {
		if k.PTX {
			later = " and later"
		}
		names = append(names, fmt.Sprintf("%d.%d", k.Major, k.Minor))
	}
	return strings.Join(slices.Compact(names), ", ") + later
}

// driver checks NVIDIA's driver, and whether it sees a GPU.
func (l *list) driver(s search) (d cuda.Driver, works bool) {
	const name = "GPU driver"
	module := moduleVersion(s.Files)
	path, err := s.find("libcuda.so.1")
	switch {
	case errors.Is(err, errNotFound) && module != "":
		l.bad(name, "libcuda.so.1 not found in "+s.where()+", although the kernel has the driver "+module, inContainer+"install the libraries of that driver")
		return d, false
	case errors.Is(err, errNotFound):
		l.bad(name, "libcuda.so.1 not found in "+s.where(), inContainer+newerDriver)
		return d, false
	case err != nil:
		l.bad(name, path+" does not load: "+err.Error(), newerDriver)
		return d, false
	}
	d, err = s.Driver(path)
	version := strings.TrimSpace(fmt.Sprintf("%s for CUDA %d.%d", module, d.Version/1000, d.Version%1000/10))
	if d.Version > 0 && d.Version < 1000*cudaVersion {
		l.bad(name, fmt.Sprintf("%s is too old for TensorFlow, which needs CUDA %d", version, cudaVersion), newerDriver)
		return d, false
	}
	if err != nil {
		l.bad(name, path+": "+err.Error(), remedy(err))
		l.visible(s.Host, err)
		return d, false
	}
	if _, err := s.find("libnvidia-ml.so.1"); err != nil {
		l.bad(name, "libnvidia-ml.so.1: "+err.Error(), "it belongs to the driver; a container gets it if NVIDIA_DRIVER_CAPABILITIES has utility")
		return d, false
	}
	l.ok(name, "%s, %s", version, path)
	l.visible(s.Host, nil)
	return d, true
}

// moduleVersion is the version of the driver's part in the kernel, or empty.
func moduleVersion(files fs.FS) string {
	text, _ := fs.ReadFile(files, "proc/driver/nvidia/version")
	line, _, _ := strings.Cut(string(text), "\n")
	return regexp.MustCompile(`\d{3,}\.\d+(\.\d+)?`).FindString(line)
}

// remedy says what to do if the driver does not start. The numbers are those of its
// interface.
func remedy(err error) string {
	var e *cuda.Error
	if !errors.As(err, &e) {
		return newerDriver
	}
	switch e.Code {
	case 34:
		return "this is the stub that programs are linked with: take it off LD_LIBRARY_PATH"
	case 100:
		return inContainer + "see whether nvidia-smi lists the GPU"
	case 802:
		return "start NVIDIA's fabric manager: systemctl start nvidia-fabricmanager"
	case 803:
		return "the library and the kernel's module are of different drivers: restart the machine, or the container"
	case 804:
		return "take the cuda-compat libraries off LD_LIBRARY_PATH"
	}
	return "see whether nvidia-smi works; restart the machine if the driver was updated"
}

// visible says what the user's selection of GPUs is, and whether it hides them all.
func (l *list) visible(h Host, err error) {
	const name = "CUDA_VISIBLE_DEVICES"
	var e *cuda.Error
	value, set := h.Env(name)
	switch {
	case !set:
	case errors.As(err, &e) && (e.Code == 100 || e.Code == 101):
		l.bad(name, strconv.Quote(value)+" hides every GPU", "unset it, or list GPUs by their numbers: 0,1")
	default:
		l.ok(name, "%s", strconv.Quote(value))
	}
}

// devices checks the GPU with this number, which is the first if there is none, as in
// savedmodels. Without a number it shows the others too.
func (l *list) devices(driver cuda.Driver, build cuda.Build, number string) {
	chosen, _ := strconv.Atoi(number)
	if len(driver.Devices) == 0 {
		l.bad("GPU", "the driver finds none", "")
		return
	}
	if chosen >= len(driver.Devices) {
		l.bad("GPU", fmt.Sprintf("there is no GPU %d: the numbers are below %d", chosen, len(driver.Devices)), "")
		return
	}
	another := "another GPU"
	if i := slices.IndexFunc(driver.Devices, build.Runs); i >= 0 {
		another = fmt.Sprintf("gpu:%d", i)
	}
	for i, d := range driver.Devices {
		if number != "" && i != chosen {
			continue
		}
		name, text := fmt.Sprintf("GPU %d", i), fmt.Sprintf("%s, %s, compute capability %d.%d", d.Name, printable.Bytes(d.Memory), d.Major, d.Minor)
		lacking := text + ": this TensorFlow has kernels for " + capabilities(build.Kernels) + " only"
		switch {
		case build.Runs(d):
			l.ok(name, "%s", text)
		case i != chosen:
			l.ok(name, "%s", lacking)
		default:
			l.bad(name, lacking, "use "+another+", or a TensorFlow that is built for this one")
		}
	}
}

// deviceFiles checks what the driver opens. Some systems have other files, so they need
// not be there if the driver works. Nor are a GPU's own files opened then: a job's limits
// may close those of other GPUs.
func (l *list) deviceFiles(h Host, works bool) {
	const name = "device files"
	found, _ := fs.Glob(h.Files, "dev/nvidia[0-9]*")
	numbered, missing := len(found) > 0, false
	if works {
		found = nil
	}
	for _, file := range []string{"dev/nvidiactl", "dev/nvidia-uvm"} {
		if _, err := fs.Stat(h.Files, file); err == nil {
			found = append(found, file)
		} else if numbered && !works {
			missing = true
			l.bad(name, "/"+file+" is missing", inContainer+"load the driver's module: nvidia-modprobe -u -c 0")
		}
	}
	var opened []string
	for _, file := range found {
		if f, err := h.Files.Open(file); err == nil {
			f.Close()
			opened = append(opened, "/"+file)
		} else {
			l.bad(name, "/"+file+": "+reason(err), "let this user read and write it, for example in the group video")
		}
	}
	switch {
	case missing || len(opened) < len(found): // has been said
	case len(opened) > 0 && (works || numbered):
		l.ok(name, "%s", strings.Join(opened, ", "))
	case !works:
		l.bad(name, "no /dev/nvidia0", "see whether the machine has a GPU of NVIDIA: lspci")
	}
}

// reason is an error without the operation and the path.
func reason(err error) string {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// Usable reports whether the checks of GPU found one that TensorFlow should list.
func Usable(checks []Check) bool {
	return len(checks) > 1 && !slices.ContainsFunc(checks, func(c Check) bool { return c.State != OK })
}

// InUse checks which GPUs TensorFlow lists, if there is a usable one. If it fails to list
// them, nothing works, whatever was asked for.
func InUse(tf TensorFlow, device string) Check {
	const name, logs = "GPUs in use", "TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow logs"
	gpus := slices.DeleteFunc(slices.Clone(tf.Devices), func(d string) bool { return !strings.HasPrefix(d, "GPU") })
	switch {
	case tf.Failure != "":
		return Check{name, Failed, tf.Failure, logs + "; CUDA_VISIBLE_DEVICES=-1 hides the GPUs"}
	case len(gpus) > 0:
		return Check{name, OK, strings.Join(gpus, ", "), ""}
	}
	l := list{asked: strings.HasPrefix(device, "gpu")}
	l.bad(name, "TensorFlow lists none", logs)
	return l.checks[0]
}
