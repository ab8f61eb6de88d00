package contents

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"os"
	"slices"
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
	data, err := os.ReadFile(path)
	if err != nil || len(data) < headerSize || !bytes.Equal(data[:headerSize], header()) {
		return nil
	}
	data = data[headerSize:]
	return data[:len(data)/recordSize*recordSize]
}

// merge returns the records of the file, without damaged ones, and what was learnt
// since. It keeps at most limit of them.
func (t *Table) merge(old []byte, limit int) (all []byte) {
	today := t.day()
	records := make([]record, 0, len(old)/recordSize+len(t.learned))
	for p := range slices.Chunk(old, recordSize) {
		r, ok := parse(p)
		if _, again := t.learned[r.Key]; again || !ok {
			continue
		}
		if t.used[r.Key] {
			r.used = today
		}
		records = append(records, r)
	}
	for k, known := range t.learned {
		records = append(records, record{k, known, today})
	}
	if len(records) > limit {
		slices.SortFunc(records, func(a, b record) int { return cmp.Compare(b.used, a.used) })
		records = records[:limit]
	}
	slices.SortStableFunc(records, func(a, b record) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	all = make([]byte, 0, len(records)*recordSize)
	for _, r := range records {
		all = r.append(all)
	}
	return all
}
