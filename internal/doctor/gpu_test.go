package doctor

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"tftl/internal/cuda"
)

// guarded is a file system with files that may not be opened.
type guarded struct {
	fstest.MapFS
	closed []string
}

func (g guarded) Open(name string) (fs.File, error) {
	if slices.Contains(g.closed, name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return g.MapFS.Open(name)
}

// stand is a stand-in for a machine with a GPU. Tests take something away.
type stand struct {
	files   guarded
	env     map[string]string
	system  []string          // libraries in the system's folders
	broken  map[string]string // why a library does not load
	driver  cuda.Driver
	refusal error // of the driver
	kernels []cuda.Kernel
	tf      TensorFlow
}

const (
	wheels = "/opt/tf/nvidia/"
	absent = ": cannot open shared object file: No such file or directory"
)

func newStand() *stand {
	s := &stand{
		files:   guarded{MapFS: fstest.MapFS{}},
		env:     map[string]string{},
		system:  []string{"libcuda.so.1", "libnvidia-ml.so.1"},
		broken:  map[string]string{},
		driver:  cuda.Driver{Version: 12040, Devices: []cuda.Device{{Name: "Stand-in", Memory: 8e9, Major: 8, Minor: 6}}},
		kernels: []cuda.Kernel{{Major: 7}, {Major: 8}, {Major: 9}, {Major: 9, PTX: true}},
		tf:      TensorFlow{Library: "/opt/tf/lib/libtensorflow.so", Framework: "/opt/tf/lib/libtensorflow_framework.so.2", Version: "2.21.0"},
	}
	for _, file := range []string{"dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm"} {
		s.files.MapFS[file] = &fstest.MapFile{}
	}
	s.files.MapFS["proc/driver/nvidia/version"] = &fstest.MapFile{Data: []byte("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\nGCC version: 12.2.0\n")}
	for _, name := range cudaLibraries() {
		s.files.MapFS[s.wheel(name)] = &fstest.MapFile{}
	}
	return s
}

// wheel is where a library is, without the first slash.
func (s *stand) wheel(name string) string {
	part, _, _ := strings.Cut(strings.TrimPrefix(name, "lib"), ".so")
	return strings.TrimPrefix(wheels+strings.TrimSuffix(part, "Lt")+"/lib/"+name, "/")
}

func (s *stand) host() Host {
	return Host{
		Files: s.files,
		Env:   func(name string) (string, bool) { value, set := s.env[name]; return value, set },
		Load: func(name string) (string, error) {
			if why := s.broken[name]; why != "" {
				return "", errors.New(why)
			}
			if strings.HasPrefix(name, "/") {
				return name, nil
			}
			if slices.Contains(s.system, name) {
				return "/usr/lib/" + name, nil
			}
			return "", errors.New(name + absent)
		},
		Driver: func(string) (cuda.Driver, error) { return s.driver, s.refusal },
		Build: func(path string) (cuda.Build, error) {
			b := cuda.Build{Kernels: s.kernels}
			if path == s.tf.Framework {
				for _, part := range []string{"cudart", "cublas", "cufft", "cusparse", "cudnn"} { // as in 2.21, not cusolver
					b.Folders = append(b.Folders, wheels+part+"/lib")
				}
			}
			return b, nil
		},
	}
}

func TestGPU(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*stand)
		device string
		want   string // name, what was found, what to do; of what failed
	}{
		{"everything is there", func(*stand) {}, "gpu", ""},
		{"the GPU that was asked for", func(s *stand) { s.driver.Devices = append(s.driver.Devices, cuda.Device{Major: 3}) }, "gpu:0", ""},
		{"one of two GPUs is too old", func(s *stand) { s.driver.Devices = append(s.driver.Devices, cuda.Device{Major: 3}) }, "gpu", ""},
		{
			"the first of two GPUs is too old", func(s *stand) {
				s.driver.Devices = append([]cuda.Device{{Name: "Old", Major: 3}}, s.driver.Devices...)
			}, "gpu",
			"GPU 0: Old, 0B, compute capability 3.0: this TensorFlow has kernels for 7.0, 8.0, 9.0 and later only (use gpu:1, or a TensorFlow",
		},
		{"the first is too old, the second was asked for", func(s *stand) {
			s.driver.Devices = append([]cuda.Device{{Name: "Old", Major: 3}}, s.driver.Devices...)
		}, "gpu:1", ""},
		{"no GPU", func(s *stand) { s.driver.Devices = nil }, "gpu", "GPU: the driver finds none"},
		{
			"the one that was asked for is too old", func(s *stand) { s.driver.Devices = append(s.driver.Devices, cuda.Device{Name: "Old", Major: 3}) }, "gpu:1",
			"GPU 1: Old, 0B, compute capability 3.0: this TensorFlow has kernels for",
		},
		{
			"the build has no GPU support", func(s *stand) { s.kernels = nil }, "gpu",
			"GPU support: this TensorFlow is built without it (" + getCUDA + ")",
		},
		{
			"no driver", func(s *stand) {
				s.system, s.driver = nil, cuda.Driver{}
				clear(s.files.MapFS)
			}, "gpu",
			"GPU driver: libcuda.so.1 not found in the system's folders (in a container, start it with its GPUs, such as docker run --gpus all; elsewhere install NVIDIA's driver 525.60.13 or newer)",
		},
		{
			"a driver in the kernel only", func(s *stand) { s.system = nil }, "gpu",
			"GPU driver: libcuda.so.1 not found in the system's folders, although the kernel has the driver 550.54.15 (in a container",
		},
		{
			"an old driver", func(s *stand) { s.driver.Version = 11040 }, "gpu",
			"GPU driver: 550.54.15 for CUDA 11.4 is too old for TensorFlow, which needs CUDA 12 (install NVIDIA's driver 525.60.13 or newer)",
		},
		{
			"a driver that does not start", func(s *stand) { s.refusal = &cuda.Error{Call: "cuInit", Code: 803, Message: "mismatch"} }, "gpu",
			"GPU driver: /usr/lib/libcuda.so.1: cuInit: error 803: mismatch (the library and the kernel's module are of different drivers: restart the machine, or the container)",
		},
		{
			"a container without the driver's tools", func(s *stand) { s.system = []string{"libcuda.so.1"} }, "gpu",
			"GPU driver: libnvidia-ml.so.1: not found (it belongs to the driver; a container gets it if NVIDIA_DRIVER_CAPABILITIES has utility)",
		},
		{
			"no device", func(s *stand) {
				s.refusal = &cuda.Error{Call: "cuInit", Code: 100, Message: "no CUDA-capable device is detected"}
				delete(s.files.MapFS, "dev/nvidia0")
			}, "gpu",
			"GPU driver: /usr/lib/libcuda.so.1: cuInit: error 100: no CUDA-capable device is detected (in a container, start it with its GPUs, such as docker run --gpus all; " +
				"elsewhere see whether nvidia-smi lists the GPU); device files: no /dev/nvidia0 (see whether the machine has a GPU of NVIDIA: lspci)",
		},
		{
			"devices that are hidden", func(s *stand) {
				s.env["CUDA_VISIBLE_DEVICES"] = "-1"
				s.refusal = &cuda.Error{Call: "cuInit", Code: 100, Message: "no device"}
			}, "gpu",
			`CUDA_VISIBLE_DEVICES: "-1" hides every GPU (unset it, or list GPUs by their numbers: 0,1)`,
		},
		{
			"a device file that may not be opened", func(s *stand) { s.files.closed = []string{"dev/nvidiactl"} }, "gpu",
			"device files: /dev/nvidiactl: permission denied (let this user read and write it, for example in the group video)",
		},
		{"another GPU's file may not be opened", func(s *stand) {
			s.files.MapFS["dev/nvidia1"] = &fstest.MapFile{}
			s.files.closed = []string{"dev/nvidia1"}
		}, "gpu", ""},
		{
			"a device file that is missing", func(s *stand) {
				s.refusal = &cuda.Error{Call: "cuInit", Code: 999, Message: "unknown error"}
				delete(s.files.MapFS, "dev/nvidia-uvm")
			}, "gpu",
			"device files: /dev/nvidia-uvm is missing (",
		},
		{"no such GPU", func(*stand) {}, "gpu:1", "GPU: there is no GPU 1: the numbers are below 1"},
		{
			"a GPU that is too old", func(s *stand) { s.driver.Devices[0] = cuda.Device{Name: "Old", Memory: 4e9, Major: 5, Minor: 2} }, "gpu",
			"GPU 0: Old, 4GB, compute capability 5.2: this TensorFlow has kernels for 7.0, 8.0, 9.0 and later only (use another GPU",
		},
		{"a GPU that is newer than the build", func(s *stand) { s.driver.Devices[0].Major = 12 }, "gpu", ""},
		{
			"one library is missing", func(s *stand) { delete(s.files.MapFS, s.wheel("libcudnn.so.9")) }, "gpu",
			"CUDA libraries: libcudnn.so.9 not found in /opt/tf/nvidia/*/lib and the system's folders (install NVIDIA's libraries beside TensorFlow",
		},
		{
			"two are missing, and users look elsewhere", func(s *stand) {
				s.env["LD_LIBRARY_PATH"] = "/a:/b"
				delete(s.files.MapFS, s.wheel("libcufft.so.11"))
				delete(s.files.MapFS, s.wheel("libcusolver.so.11"))
			}, "gpu",
			"CUDA libraries: libcufft.so.11 and libcusolver.so.11 not found in LD_LIBRARY_PATH (/a:/b), /opt/tf/nvidia/*/lib and the system's folders",
		},
		{"a library elsewhere", func(s *stand) {
			s.env["LD_LIBRARY_PATH"] = "/a:/b"
			delete(s.files.MapFS, s.wheel("libcudnn.so.9"))
			s.files.MapFS["b/libcudnn.so.9"] = &fstest.MapFile{}
		}, "gpu", ""},
		{"a library in the system's folders", func(s *stand) {
			delete(s.files.MapFS, s.wheel("libcudnn.so.9"))
			s.system = append(s.system, "libcudnn.so.9")
		}, "gpu", ""},
		{
			"a library that needs another", func(s *stand) { s.broken["/"+s.wheel("libcusparse.so.12")] = "libnvJitLink.so.12" + absent }, "gpu",
			"CUDA libraries: /opt/tf/nvidia/cusparse/lib/libcusparse.so.12 does not load: libnvJitLink.so.12" + absent,
		},
		{"no driver, but no GPU was asked for", func(s *stand) { s.system = nil }, "auto", ""},
	} {
		s := newStand()
		test.change(s)
		checks := GPU(s.host(), s.tf, test.device)
		got := Hint(checks)
		if !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
		if AllOK(checks) != (test.want == "") || test.want != "" && Usable(checks) {
			t.Errorf("%s: AllOK is %v, Usable %v", test.name, AllOK(checks), Usable(checks))
		}
		states := map[string]State{}
		for _, c := range checks {
			if was, again := states[c.Name]; again && was != c.State {
				t.Errorf("%s: %s is %v and %v", test.name, c.Name, was, c.State)
			}
			states[c.Name] = c.State
		}
	}
}

func TestInUse(t *testing.T) {
	for _, test := range []struct {
		tf     TensorFlow
		device string
		want   Check
	}{
		{TensorFlow{Devices: []string{"CPU:0", "GPU:0", "GPU:1"}}, "gpu", Check{"GPUs in use", OK, "GPU:0, GPU:1", ""}},
		{TensorFlow{Devices: []string{"CPU:0"}}, "gpu:0", Check{"GPUs in use", Failed, "TensorFlow lists none", "TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow logs"}},
		{TensorFlow{Devices: []string{"CPU:0"}}, "auto", Check{"GPUs in use", Warning, "TensorFlow lists none", "TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow logs"}},
		{
			TensorFlow{Devices: []string{"CPU:0"}, Failure: "it broke"},
			"auto",
			Check{"GPUs in use", Failed, "it broke", "TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow logs; CUDA_VISIBLE_DEVICES=-1 hides the GPUs"},
		},
	} {
		if got := InUse(test.tf, test.device); got != test.want {
			t.Errorf("%+v", got)
		}
	}
}

func TestEachLibraryIsMissed(t *testing.T) {
	for _, name := range cudaLibraries() {
		s := newStand()
		delete(s.files.MapFS, s.wheel(name))
		if got := Hint(GPU(s.host(), s.tf, "gpu")); !strings.Contains(got, "CUDA libraries: "+name+" not found") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Without a GPU that was asked for, what is missing is a warning, and a build without
// GPU support is none.
func TestNoGPUWasAskedFor(t *testing.T) {
	s := newStand()
	if checks := GPU(s.host(), s.tf, "auto"); !Usable(checks) {
		t.Errorf("%+v", checks)
	}
	s.system = nil
	checks := GPU(s.host(), s.tf, "auto")
	if i := slices.IndexFunc(checks, func(c Check) bool { return c.Name == "GPU driver" }); i < 0 || checks[i].State != Warning {
		t.Errorf("%+v", checks)
	}
	s.kernels = nil
	checks = GPU(s.host(), s.tf, "auto")
	if len(checks) != 1 || checks[0].State != OK || checks[0].Fix != getCUDA || Usable(checks) {
		t.Errorf("%+v", checks)
	}
}
