package savedmodels

import "golang.org/x/sys/cpu"

// instructionSet names the widest instruction set of the processor that
// TensorFlow has kernels for.
func instructionSet() string {
	switch {
	case cpu.X86.HasAMXBF16:
		return "amx"
	case cpu.X86.HasAVX512BF16:
		return "avx512_bf16"
	case cpu.X86.HasAVX512VNNI:
		return "avx512_vnni"
	case cpu.X86.HasAVX512F:
		return "avx512"
	case cpu.X86.HasAVX2:
		return "avx2"
	case cpu.X86.HasAVX:
		return "avx"
	}
	return "baseline"
}

// hasBFloat16 reports whether the processor multiplies in bfloat16.
func hasBFloat16() bool { return cpu.X86.HasAMXBF16 || cpu.X86.HasAVX512BF16 }
