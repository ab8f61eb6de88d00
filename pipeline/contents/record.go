package contents

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sort"

	"tftl/internal/regular"
)

// record is a file of the table. FORMAT.md is the specification.
type record struct {
	Key
	Known
	used uint32 // day
}

// parse reads a record. ok is false if it is damaged.
func parse(p []byte) (r record, ok bool) {
	le := binary.LittleEndian
	copy(r.Key[:], p)
	copy(r.Digest[:], p[16:])
	r.Decodes, r.used = le.Uint32(p[48:]), le.Uint32(p[52:])
	return r, checksum(p[:60]) == le.Uint32(p[60:])
}

func (r record) append(p []byte) []byte {
	start := len(p)
	p = append(append(p, r.Key[:]...), r.Digest[:]...)
	for _, n := range []uint32{r.Decodes, r.used, 0} {
		p = binary.LittleEndian.AppendUint32(p, n)
	}
	return binary.LittleEndian.AppendUint32(p, checksum(p[start:]))
}

func checksum(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

func header() []byte {
	h := append(make([]byte, 0, headerSize), magic...)
	h = binary.LittleEndian.AppendUint32(h, version)
	return binary.LittleEndian.AppendUint32(h, checksum(h))
}

// read reads the records of a file. It is empty if there is none, or if it has
// another form.
func read(path string) []byte {
	data, err := regular.Read(path, headerSize+most*recordSize)
	if err != nil || len(data) < headerSize || !bytes.Equal(data[:headerSize], header()) {
		return nil
	}
	data = data[headerSize:]
	return data[:len(data)/recordSize*recordSize]
}

// merge returns the records of the file, without damaged ones, and what was learnt
// since. It keeps at most limit of them. It overwrites old.
func (t *Table) merge(old []byte, limit int) []byte {
	today, all := t.day(), old[:0]
	for p := range slices.Chunk(old, recordSize) {
		r, ok := parse(p)
		if _, again := t.learned[r.Key]; again || !ok {
			continue
		}
		if t.used[r.Key] {
			r.used = today
		}
		all = r.append(all)
	}
	all = slices.Grow(all, len(t.learned)*recordSize)
	for k, known := range t.learned {
		all = record{k, known, today}.append(all)
	}
	if len(all) > limit*recordSize {
		day := func(p []byte) uint32 { return binary.LittleEndian.Uint32(p[52:]) }
		sort.Sort(records{all, func(a, b []byte) bool { return day(a) > day(b) }})
		all = all[:limit*recordSize]
	}
	sort.Sort(records{all, func(a, b []byte) bool { return bytes.Compare(a[:len(Key{})], b[:len(Key{})]) < 0 }})
	return all
}

// records sorts records where they are.
type records struct {
	all  []byte
	less func(a, b []byte) bool
}

func (r records) at(i int) []byte    { return r.all[i*recordSize:][:recordSize] }
func (r records) Len() int           { return len(r.all) / recordSize }
func (r records) Less(i, j int) bool { return r.less(r.at(i), r.at(j)) }
func (r records) Swap(i, j int) {
	a, b := r.at(i), r.at(j)
	was := [recordSize]byte(a)
	copy(a, b)
	copy(b, was[:])
}
