package savedmodels

import (
	"fmt"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// instructionSet names the instruction sets of the processor that kernels are
// chosen by: the vector extension, for SVE with the length in bits, and bfloat16.
func instructionSet() string {
	name := "asimd"
	switch {
	case cpu.ARM64.HasSVE2:
		name = fmt.Sprint("sve2_", vectorLength())
	case cpu.ARM64.HasSVE:
		name = fmt.Sprint("sve_", vectorLength())
	case cpu.ARM64.HasASIMDDP:
		name = "asimddp"
	}
	if hasBFloat16() {
		name += "_bf16"
	}
	return name
}

// vectorLength returns the length of an SVE vector in bits. Machines with the same
// instructions differ in it.
func vectorLength() int {
	bytes, err := unix.PrctlRetInt(unix.PR_SVE_GET_VL, 0, 0, 0, 0)
	if err != nil {
		return 128 // the shortest
	}
	return bytes & unix.PR_SVE_VL_LEN_MASK * 8
}

// hasBFloat16 reports whether the processor multiplies in bfloat16, as the kernel
// tells every program when it starts (AT_HWCAP2 in Linux' asm/hwcap.h).
func hasBFloat16() bool {
	const atHWCAP2, bf16 = 26, 1 << 14
	vector, err := unix.Auxv()
	if err != nil {
		return false
	}
	for _, entry := range vector {
		if entry[0] == atHWCAP2 {
			return entry[1]&bf16 != 0
		}
	}
	return false
}
