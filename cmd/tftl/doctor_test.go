package main

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withoutLibrary returns a copy of the program that looks for TensorFlow in a folder
// that has none.
func withoutLibrary(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	folders, err := file.DynString(elf.DT_RUNPATH)
	if err != nil || len(folders) == 0 {
		t.Skipf("the program does not say where it looks: %v", err)
	}
	elsewhere := "/nowhere" + strings.Repeat("/", max(0, len(folders[0])-len("/nowhere")))
	program = bytes.ReplaceAll(program, []byte(folders[0]+"\x00"), []byte(elsewhere[:len(folders[0])]+"\x00"))
	path := filepath.Join(t.TempDir(), "tftl")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDoctorWithoutLibrary(t *testing.T) {
	cmd := exec.Command(withoutLibrary(t), "doctor", "--device", "gpu")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+t.TempDir())
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitFailed {
		t.Error(err)
	}
	if want := "tftl: this machine cannot do what was asked for: library\n"; stderr.String() != want {
		t.Errorf("stderr %q", stderr.String())
	}
	for _, want := range []string{
		"\nfailed   library: TensorFlow cannot be loaded: libtensorflow.so: cannot open shared object file: No such file or directory\n           put the library of TensorFlow ", " into /nowhere, or name its folder in LD_LIBRARY_PATH\n",
		" memory: ", " threads: ", " temporary files: ", " feature cache: ",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
}
