// Package tfrecord reads and writes TFRecord, TensorFlow's format of checksummed
// records, and reads the features of the tf.train.Example that a record usually
// contains.
//
// It needs no TensorFlow and knows no particular feature. Compression is up to the
// caller: read a GZIP file through compress/gzip. The package does not trust a
// length or a count in a file to allocate much more memory than it has read.
package tfrecord

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A record is the length of its data (8 bytes, little endian), the length's
// masked CRC-32C (4), the data, and the data's masked CRC-32C (4).
const (
	headerSize = 12
	footerSize = 4
	// maxLength is more than an image that can be decoded and all that may be said of
	// it. A whole record is kept in memory.
	maxLength = 320 << 20
)

// Read reads the next record of r, at offset. It returns the data, which the
// caller owns, and the offset of the following record. Errors name the offset. At
// the end of the file the error is io.EOF itself.
func Read(r io.Reader, offset int64) (data []byte, next int64, err error) {
	fail := func(err error) ([]byte, int64, error) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the file ends within it")
		}
		return nil, offset, fmt.Errorf("record at byte %d: %w", offset, err)
	}
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); errors.Is(err, io.EOF) {
		return nil, offset, io.EOF
	} else if err != nil {
		return fail(err)
	}
	if !IsHeader(header[:]) {
		return fail(errors.New("the checksum of its length is wrong"))
	}
	length := binary.LittleEndian.Uint64(header[:])
	if length > maxLength {
		return fail(fmt.Errorf("its length of %d bytes is more than the limit of %d", length, maxLength))
	}
	var buffer bytes.Buffer
	buffer.Grow(int(min(length, 1<<20)) + bytes.MinRead)
	if _, err := io.CopyN(&buffer, r, int64(length)); err != nil {
		return fail(err)
	}
	var footer [footerSize]byte
	if _, err := io.ReadFull(r, footer[:]); err != nil {
		return fail(err)
	}
	if binary.LittleEndian.Uint32(footer[:]) != masked(buffer.Bytes()) {
		return fail(errors.New("the checksum of its data is wrong"))
	}
	return buffer.Bytes(), offset + headerSize + int64(length) + footerSize, nil
}

// IsHeader says whether a file that starts with these bytes, 12 or more, starts
// with a record. Because of the checksum, a false match is unlikely.
func IsHeader(head []byte) bool {
	return len(head) >= headerSize && binary.LittleEndian.Uint32(head[8:]) == masked(head[:8])
}

// masked is CRC-32C as TFRecord stores it, changed so that checksums of data that
// contains checksums stay useful.
func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (crc>>15 | crc<<17) + 0xa282ead8
}
