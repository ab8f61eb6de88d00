package tensor_test

import (
	"debug/elf"
	"runtime"
	"strings"
	"testing"

	"tftl/internal/tensor"
)

func TestLibraryIsLoadedWhenItIsCalled(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("internal/libtensorflow has no stubs for this processor")
	}
	program, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	symbols, err := program.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "TF_") || strings.HasPrefix(s.Name, "TFE_") {
			t.Errorf("internal/libtensorflow/symbols.h lacks %s, so programs load TensorFlow when they start", s.Name)
		}
	}
	one, err := tensor.Floats([]int64{1}, []float32{7}) // now it is called
	if err != nil || tensor.View(one)[0] != 7 {
		t.Errorf("%v, %v", one, err)
	}
	tensor.Free(one)
}
