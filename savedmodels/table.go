package savedmodels

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
)

// A LevelDB table ends with where its index is. The index has where each block of
// entries is. Every block is followed by its compression and a checksum.
const (
	footerSize   = 48
	blockTrailer = 5
	tableMagic   = 0xdb4775248b80fb57
)

var errDamaged = errors.New("is damaged")

// readTable calls use with each entry of a LevelDB table. It trusts no length, and
// expects no compression, as TensorFlow writes none.
func readTable(table []byte, use func(key, value []byte) error) error {
	footer := len(table) - footerSize
	if footer < 0 || binary.LittleEndian.Uint64(table[len(table)-8:]) != tableMagic {
		return errDamaged
	}
	_, rest := parseHandle(table[footer:]) // of the filters
	handle, _ := parseHandle(rest)
	index, err := handle.block(table)
	if err != nil {
		return err
	}
	end := uint64(0)
	return readBlock(index, func(_, value []byte) error {
		handle, _ := parseHandle(value)
		if handle.offset < end { // a block is read once
			return errDamaged
		}
		block, err := handle.block(table)
		if err != nil {
			return err
		}
		end = handle.offset + handle.size
		return readBlock(block, use)
	})
}

// blockHandle is where a block is.
type blockHandle struct{ offset, size uint64 }

// parseHandle returns a handle and what follows it. If it is none, no table has a
// block there.
func parseHandle(data []byte) (h blockHandle, rest []byte) {
	for _, value := range []*uint64{&h.offset, &h.size} {
		var n int
		if *value, n = binary.Uvarint(data); n <= 0 {
			return blockHandle{offset: math.MaxUint64}, nil
		}
		data = data[n:]
	}
	return h, data
}

// block returns the block at a handle.
func (h blockHandle) block(table []byte) ([]byte, error) {
	most := uint64(len(table) - footerSize)
	if h.offset > most || h.size > most-h.offset || most-h.offset-h.size < blockTrailer {
		return nil, errDamaged
	}
	end := h.offset + h.size
	sum := crc32.Checksum(table[h.offset:end+1], crc32.MakeTable(crc32.Castagnoli))
	if masked(sum) != binary.LittleEndian.Uint32(table[end+1:]) {
		return nil, errDamaged
	}
	if table[end] != 0 {
		return nil, errors.New("is compressed")
	}
	return table[h.offset:end], nil
}

// readBlock calls use with each entry of a block. An entry's key begins with some of
// the key before it. At the end are the places of entries with a whole key.
func readBlock(block []byte, use func(key, value []byte) error) error {
	if len(block) < 4 {
		return errDamaged
	}
	places := uint64(binary.LittleEndian.Uint32(block[len(block)-4:]))
	if places > uint64(len(block)-4)/4 {
		return errDamaged
	}
	entries := bytes.NewReader(block[:len(block)-4-4*int(places)])
	var key []byte
	for entries.Len() > 0 {
		var lengths [3]uint64 // of what is shared with the last key, of the rest, and of the value
		for i := range lengths {
			var err error
			if lengths[i], err = binary.ReadUvarint(entries); err != nil {
				return errDamaged
			}
		}
		left := uint64(entries.Len())
		if lengths[0] > uint64(len(key)) || lengths[1] > left || lengths[2] > left-lengths[1] {
			return errDamaged
		}
		more, value := make([]byte, lengths[1]), make([]byte, lengths[2])
		_, _ = entries.Read(more)
		_, _ = entries.Read(value)
		key = append(key[:lengths[0]:lengths[0]], more...)
		if err := use(key, value); err != nil {
			return err
		}
	}
	return nil
}
