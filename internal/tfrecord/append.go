package tfrecord

import "encoding/binary"

// Append appends a record that contains data to the bytes of a file.
func Append(file, data []byte) []byte {
	var header [headerSize]byte
	binary.LittleEndian.PutUint64(header[:], uint64(len(data)))
	binary.LittleEndian.PutUint32(header[8:], masked(header[:8]))
	file = append(append(file, header[:]...), data...)
	return binary.LittleEndian.AppendUint32(file, masked(data))
}
