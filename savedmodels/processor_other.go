//go:build !amd64 && !(linux && arm64)

package savedmodels

func instructionSet() string { return "baseline" }

func hasBFloat16() bool { return false }
