package features

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// Digest is the SHA-256 of an image's bytes as stored, or of that digest and the
// text of a variant.
type Digest [sha256.Size]byte

// How the values of a record are encoded. FORMAT.md is the specification.
const (
	bfloat16 = 1 // the upper 16 bits of each value, as the lower are zero
	float32s = 2 // all 32 bits
)

const (
	recordHeader = 64 // bytes before the payload
	maxRank      = 4
	maxElements  = 1 << 29 // 2 GiB in the wider encoding
)

// checksum is CRC-32C, which processors compute as fast as they read memory.
func checksum(p []byte) uint32 {
	return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) // the same table every time
}

// record says where the activations of one image are.
type record struct {
	in       io.ReaderAt
	offset   int64 // of the payload in it
	length   int   // of the payload in bytes
	sum      uint32
	encoding byte
	shape    []int64 // of one image; shared, so never modified
	older    *record // of the same image, as a fallback
}

// elements is the product of shape, or -1 if a record cannot have that shape.
func elements(shape []int64) int {
	if len(shape) > maxRank {
		return -1
	}
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > maxElements {
			return -1
		}
		if n *= d; n > maxElements { // no factor exceeds it, so there is no overflow
			return -1
		}
	}
	return int(n)
}

// encode makes a record of header and payload. The values must fill shape.
func encode(d Digest, shape []int64, values []float32) []byte {
	var low uint32
	for _, v := range values {
		low |= math.Float32bits(v)
	}
	encoding, width := byte(float32s), 4
	if low&0xffff == 0 {
		encoding, width = bfloat16, 2
	}

	le := binary.LittleEndian
	out := make([]byte, recordHeader+width*len(values))
	payload := out[recordHeader:]
	if encoding == bfloat16 {
		for i, v := range values {
			le.PutUint16(payload[2*i:2*i+2], uint16(math.Float32bits(v)>>16))
		}
	} else {
		for i, v := range values {
			le.PutUint32(payload[4*i:4*i+4], math.Float32bits(v))
		}
	}

	copy(out, d[:])
	out[32], out[33] = encoding, byte(len(shape))
	for i, dim := range shape {
		le.PutUint32(out[36+4*i:], uint32(dim))
	}
	le.PutUint32(out[52:], uint32(len(payload)))
	le.PutUint32(out[56:], checksum(payload))
	le.PutUint32(out[60:], checksum(out[:60]))
	return out
}

// parse reads the header of a record that starts at offset. It returns nil if
// encode would not write such a header.
func parse(header []byte, in io.ReaderAt, offset int64) (Digest, *record) {
	le := binary.LittleEndian
	if checksum(header[:60]) != le.Uint32(header[60:]) {
		return Digest{}, nil
	}
	rank := int(header[33])
	if rank > maxRank {
		return Digest{}, nil
	}
	r := &record{
		in:       in,
		offset:   offset + recordHeader,
		length:   int(le.Uint32(header[52:])),
		sum:      le.Uint32(header[56:]),
		encoding: header[32],
		shape:    make([]int64, rank),
	}
	for i := range r.shape {
		r.shape[i] = int64(le.Uint32(header[36+4*i:]))
	}
	if n := elements(r.shape); n < 0 || r.length != n*r.width() {
		return Digest{}, nil
	}
	return Digest(header[:32]), r
}

// width is the number of bytes per value, or -1 for an unknown encoding.
func (r *record) width() int {
	switch r.encoding {
	case bfloat16:
		return 2
	case float32s:
		return 4
	}
	return -1
}

// read fills dst with the record's values. If the payload is not exactly what was
// written, it returns false and dst is undefined.
func (r *record) read(dst []float32, buffer *[]byte) bool {
	if r.length != len(dst)*r.width() {
		return false
	}
	*buffer = slices.Grow((*buffer)[:0], r.length)[:r.length]
	payload := *buffer
	if n, _ := r.in.ReadAt(payload, r.offset); n != r.length {
		return false
	}
	if checksum(payload) != r.sum {
		return false
	}
	le := binary.LittleEndian
	if r.encoding == bfloat16 {
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(payload[2*i:2*i+2])) << 16)
		}
	} else {
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(payload[4*i : 4*i+4]))
		}
	}
	return true
}
