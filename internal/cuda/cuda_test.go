package cuda

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// standIn is a driver for machines without one. It says what the test tells it.
const standIn = `
#include <string.h>
int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuInit(unsigned flags) { return REFUSAL; }
int cuGetErrorString(int code, const char **text) { *text = code == 100 ? "no CUDA-capable device is detected" : 0; return 0; }
int cuDeviceGetCount(int *n) { *n = 2; return 0; }
int cuDeviceGet(int *device, int n) { *device = n; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, device ? "Second" : "First", size); return 0; }
int cuDeviceTotalMem_v2(unsigned long *bytes, int device) { *bytes = 8000000000 + device; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 8 : 6; return 0; }
`

// compile builds a library with the C compiler that built this test.
func compile(t *testing.T, source string, flags ...string) string {
	t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	dir := t.TempDir()
	file, library := filepath.Join(dir, "source.c"), filepath.Join(dir, "library.so")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, slices.Concat([]string{"-shared", "-fPIC", "-o", library, file}, flags)...).CombinedOutput(); err != nil {
		t.Skipf("%s: %v: %s", compiler, err, out)
	}
	return library
}

func TestAsk(t *testing.T) {
	got, err := Ask(compile(t, standIn, "-DREFUSAL=0"))
	want := Driver{12040, []Device{{"First", 8000000000, 8, 6}, {"Second", 8000000001, 8, 6}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDriverThatRefuses(t *testing.T) {
	for flag, want := range map[string]Error{
		"-DREFUSAL=100": {"cuInit", 100, "no CUDA-capable device is detected"},
		"-DREFUSAL=999": {"cuInit", 999, "unknown"},
	} {
		got, err := Ask(compile(t, standIn, flag))
		var e *Error
		if !errors.As(err, &e) || *e != want || got.Version != 12040 {
			t.Errorf("%s: %+v, %v", flag, got, err)
		}
	}
}

func TestLibraryThatIsNoDriver(t *testing.T) {
	if _, err := Ask(compile(t, "int cuInit(unsigned flags) { return 0; }")); err == nil || !strings.Contains(err.Error(), "has no cu") {
		t.Error(err)
	}
	if _, err := Ask("/nowhere/libcuda.so.1"); err == nil || !strings.Contains(err.Error(), "/nowhere/libcuda.so.1") {
		t.Error(err)
	}
}

func TestLoad(t *testing.T) {
	library := compile(t, "int f(void) { return 0; }")
	if path, err := Load(library); err != nil || path != library {
		t.Errorf("%q, %v", path, err)
	}
	const name = "libnowhere.so.7"
	if path, err := Load(name); path != "" || err == nil || !strings.HasPrefix(err.Error(), name+": cannot open shared object file") {
		t.Errorf("%q, %v", path, err)
	}
}

// container returns kernels as CUDA's compilers store them. An entry has a kind, 1 for
// PTX and 2 for machine code, and a capability.
func container(entries ...[2]uint16) []byte {
	var body, all bytes.Buffer
	for _, e := range entries {
		code := make([]byte, 40)
		head := make([]byte, 64)
		binary.LittleEndian.PutUint16(head, e[0])
		binary.LittleEndian.PutUint32(head[4:], uint32(len(head)))
		binary.LittleEndian.PutUint64(head[8:], uint64(len(code)))
		binary.LittleEndian.PutUint32(head[28:], uint32(e[1]))
		body.Write(append(head, code...))
	}
	head := make([]byte, 16)
	binary.LittleEndian.PutUint32(head, 0xba55ed50)
	binary.LittleEndian.PutUint16(head[4:], 1)
	binary.LittleEndian.PutUint16(head[6:], uint16(len(head)))
	binary.LittleEndian.PutUint64(head[8:], uint64(body.Len()))
	all.Write(head)
	all.Write(body.Bytes())
	return all.Bytes()
}

func TestReadBuild(t *testing.T) {
	plain := compile(t, "int f(void) { return 0; }")
	if b, err := ReadBuild(plain); err != nil || len(b.Kernels) > 0 {
		t.Errorf("without CUDA: %+v, %v", b, err)
	}
	fatbin := filepath.Join(t.TempDir(), "fatbin")
	if err := os.WriteFile(fatbin, container([2]uint16{2, 70}, [2]uint16{2, 89}, [2]uint16{2, 120}, [2]uint16{1, 120}), 0o600); err != nil {
		t.Fatal(err)
	}
	source := `__asm__(".section .nv_fatbin,\"a\"\n.incbin \"` + fatbin + `\"\n.text\n");`
	for _, flags := range [][]string{{"-Wl,--enable-new-dtags"}, {"-Wl,--disable-new-dtags"}, {"-s"}} { // -s strips
		library := compile(t, source, append(flags, "-Wl,-rpath,$ORIGIN/../nvidia/cudnn/lib:/opt:$ORIGIN/../nvidia/cudnn/lib")...)
		b, err := ReadBuild(library)
		want := Build{
			Kernels: []Kernel{{7, 0, false}, {8, 9, false}, {12, 0, false}, {12, 0, true}},
			Folders: []string{filepath.Join(filepath.Dir(filepath.Dir(library)), "nvidia/cudnn/lib"), "/opt"},
		}
		if err != nil || !reflect.DeepEqual(b, want) {
			t.Errorf("%v: %+v, %v", flags, b, err)
		}
	}
}

func TestDamagedKernels(t *testing.T) {
	whole := container([2]uint16{2, 70}, [2]uint16{2, 89})
	for n := range len(whole) - 72 { // of the last entry only 32 bytes are read
		if list, err := kernels(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("cut off after %d bytes: %v", n, list)
		}
	}
	endless := bytes.Clone(whole)
	binary.LittleEndian.PutUint64(endless[16+8:], 1<<63)
	if _, err := kernels(bytes.NewReader(endless)); err == nil {
		t.Error("an entry that is larger than its container")
	}
	empty := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(empty[16+4:], 0)
	if _, err := kernels(bytes.NewReader(empty)); err == nil {
		t.Error("an entry without a header")
	}
}

func TestRuns(t *testing.T) {
	b := Build{Kernels: []Kernel{{7, 0, false}, {8, 6, false}, {9, 0, true}}}
	for _, test := range []struct {
		major, minor int
		want         bool
	}{{6, 1, false}, {7, 0, true}, {7, 5, true}, {8, 0, false}, {8, 6, true}, {8, 9, true}, {9, 0, true}, {12, 1, true}} {
		if got := b.Runs(Device{Major: test.major, Minor: test.minor}); got != test.want {
			t.Errorf("%d.%d: %v", test.major, test.minor, got)
		}
	}
}
