// Package tfrecord reads and appends to TFRecord, TensorFlow's file of
// checksummed records, and reads the features of the tf.train.Example that a
// record usually holds.
//
// It needs no TensorFlow and knows of no particular feature. Compression is the caller's: a GZIP file is read through compress/gzip. What
// a file claims is never believed before the bytes are there: neither a length
// nor a count makes it allocate much more than it has read.
package tfrecord

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A record is the length of its data (8 bytes, little endian), the length's
// masked CRC-32C (4), the data, and the data's masked CRC-32C (4).
const (
	headerSize = 12
	footerSize = 4
	// A record that is no protocol buffer is none that anyone wrote: they end here.
	maxLength = math.MaxInt32
)

// Read reads the record that r stands at and returns its data, which the
// caller owns, and the offset of the one after it. offset is where r stands;
// an error names it. It is io.EOF alone where the file ends before a record.
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
		return fail(fmt.Errorf("it claims %d bytes", length))
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

// IsHeader tells whether a file that begins with these bytes, 12 or more,
// begins with a record: the checksum leaves little room for chance.
func IsHeader(head []byte) bool {
	return len(head) >= headerSize && binary.LittleEndian.Uint32(head[8:]) == masked(head[:8])
}

// masked is CRC-32C as TFRecord stores it, changed so that a checksum of data
// that holds checksums stays a good one.
func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (crc>>15 | crc<<17) + 0xa282ead8
}
