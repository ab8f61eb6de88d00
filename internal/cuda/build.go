package cuda

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Build is what a library file says of how it was built.
type Build struct {
	Kernels []Kernel // that it has for GPUs, older first; none if it was built without CUDA
	Folders []string // in which it looks for other libraries, in this order
}

// Kernel is a kind of machine code for GPUs.
type Kernel struct {
	Major, Minor int  // compute capability
	PTX          bool // the driver translates it for this and all later capabilities
}

// Runs reports whether the build has kernels that run on a device.
func (b Build) Runs(d Device) bool {
	return slices.ContainsFunc(b.Kernels, func(k Kernel) bool {
		later := d.Major > k.Major || d.Major == k.Major && d.Minor >= k.Minor
		return later && (k.PTX || d.Major == k.Major)
	})
}

// ReadBuild reads it from an ELF file. Stripping does not remove these parts.
func ReadBuild(path string) (Build, error) {
	file, err := elf.Open(path)
	if err != nil {
		return Build{}, err
	}
	defer file.Close()
	var b Build
	if section := file.Section(".nv_fatbin"); section != nil {
		if b.Kernels, err = kernels(section.Open()); err != nil {
			return Build{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	lists, err := file.DynString(elf.DT_RUNPATH)
	if err == nil && len(lists) == 0 {
		lists, err = file.DynString(elf.DT_RPATH)
	}
	if err != nil {
		return Build{}, fmt.Errorf("%s: %w", path, err)
	}
	origin := strings.NewReplacer("$ORIGIN", filepath.Dir(path), "${ORIGIN}", filepath.Dir(path))
	for _, list := range lists {
		for folder := range strings.SplitSeq(list, ":") {
			if folder = filepath.Clean(origin.Replace(folder)); !slices.Contains(b.Folders, folder) {
				b.Folders = append(b.Folders, folder)
			}
		}
	}
	return b, nil
}

// kernels reads the first container of kernels in a section; the others have the same
// kinds. A container is a header of 16 bytes and entries: a kind, a version, the sizes of
// its header and of what follows, and in that header the capability, as 90 for 9.0.
func kernels(r io.ReadSeeker) ([]Kernel, error) {
	const magic, ptx, least = 0xba55ed50, 1, 32
	var container struct {
		Magic           uint32
		Version, Header uint16
		Size            uint64
	}
	if err := binary.Read(r, binary.LittleEndian, &container); err != nil {
		return nil, err
	}
	if container.Magic != magic || container.Header < 16 {
		return nil, errors.New("its kernels for GPUs are stored in a way that is not known")
	}
	var list []Kernel
	for at, end := uint64(container.Header), uint64(container.Header)+container.Size; at < end; {
		if _, err := r.Seek(int64(at), io.SeekStart); err != nil {
			return nil, err
		}
		var head [least]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, err
		}
		var entry struct {
			Kind, Version uint16
			Header        uint32
			Size          uint64
			_             [12]byte
			Capability    uint32
		}
		if err := binary.Read(bytes.NewReader(head[:]), binary.LittleEndian, &entry); err != nil {
			return nil, err
		}
		if k := (Kernel{int(entry.Capability / 10), int(entry.Capability % 10), entry.Kind == ptx}); !slices.Contains(list, k) {
			list = append(list, k)
		}
		if entry.Header < least || entry.Size > end-at {
			return nil, errors.New("its list of kernels for GPUs is damaged")
		}
		at += uint64(entry.Header) + entry.Size
	}
	return list, nil
}
