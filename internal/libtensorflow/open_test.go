package libtensorflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tftl/internal/libtensorflow"
)

func TestOpenSaysWhereTheLibraryIs(t *testing.T) {
	for range 2 {
		files, err := libtensorflow.Open()
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{files.Library, files.Framework} {
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || !strings.Contains(path, "tensorflow") {
				t.Errorf("%q: %v", path, err)
			}
		}
		if info, err := os.Lstat(files.Library); err != nil || info.Mode()&os.ModeSymlink != 0 {
			t.Errorf("%s is a link", files.Library)
		}
	}
}

func TestVersionIsTheOneThatIsInstalled(t *testing.T) {
	text, err := os.ReadFile("../../scripts/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`(?m)^tensorflow[-_]cpu==(\S+)`).FindSubmatch(text)
	if pinned == nil || string(pinned[1]) != libtensorflow.Version {
		t.Errorf("scripts/requirements.txt pins %q, Version is %s", pinned, libtensorflow.Version)
	}
}

// compile builds a library, and the folder that it is in.
func compile(t *testing.T, library, source string, flags ...string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(library), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cc", slices.Concat([]string{"-shared", "-fPIC", "-x", "c", "-", "-o", library, "-Wl,-soname," + filepath.Base(library)}, flags)...)
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, out)
	}
}

// The folder decides, not the name: the library beside a program comes before one that
// the system has. The test runs itself with stand-ins, in another process.
func TestOpenTakesTheFirstFolder(t *testing.T) {
	if os.Getenv("STAND_IN") != "" {
		files, err := libtensorflow.Open()
		t.Logf("%s, %v", files.Library, err)
		return
	}
	root := t.TempDir()
	beside, system := filepath.Join(root, "beside", "libtensorflow_cc.so.2"), filepath.Join(root, "system", "libtensorflow.so")
	for _, library := range []string{beside, system} {
		compile(t, library, "int f(void) { return 0; }")
	}
	for first, second := range map[string]string{beside: system, system: beside} {
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "STAND_IN=1", "LD_LIBRARY_PATH="+filepath.Dir(first)+":"+filepath.Dir(second))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), first+", <nil>") {
			t.Errorf("%v: no %s in %s", err, first, out)
		}
	}
}

// Stand-ins are laid out like TensorFlow's CUDA build and NVIDIA's wheels. The test runs
// itself with them, in another process.
func TestCUDABuildGetsLibcusolver(t *testing.T) {
	if os.Getenv("STAND_IN") != "" {
		files, err := libtensorflow.Open()
		maps, _ := os.ReadFile("/proc/self/maps")
		t.Logf("%s, %v, libcusolver: %v", filepath.Base(files.Framework), err, strings.Contains(string(maps), "libcusolver.so.11"))
		return
	}
	root := t.TempDir()
	lib, driver := filepath.Join(root, "lib"), filepath.Join(root, "driver")
	compile(t, filepath.Join(lib, "libtensorflow_framework.so.2"), "_Bool _ZN10tensorflow19IsGoogleCudaEnabledEv(void) { return 1; }")
	compile(t, filepath.Join(lib, "libtensorflow.so"), "int f(void) { return 0; }", "-Wl,--no-as-needed", filepath.Join(lib, "libtensorflow_framework.so.2"))
	compile(t, filepath.Join(root, "nvidia", "cusolver", "lib", "libcusolver.so.11"), "int f(void) { return 0; }")
	compile(t, filepath.Join(driver, "libcuda.so.1"), "int f(void) { return 0; }")
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "STAND_IN=1", "LD_LIBRARY_PATH="+lib+":"+driver)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "libtensorflow_framework.so.2, <nil>, libcusolver: true") {
		t.Errorf("%v: %s", err, out)
	}
}
