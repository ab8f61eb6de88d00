package dataset

import (
	"bufio"
	"compress/gzip"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tftl/internal/tfrecord"
)

// isTFRecord goes by a file's name, or else by its first bytes.
func isTFRecord(name string) (bool, error) {
	if len(tfrecordNames([]string{filepath.Base(name)})) > 0 {
		return true, nil
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() { // reading a pipe might block
		return false, err
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if gzipped(in) {
		unzip, err := gzip.NewReader(in)
		if err != nil {
			return false, nil //nolint:nilerr // then it is something else
		}
		in = bufio.NewReader(unzip)
	}
	head, _ := in.Peek(12) // fewer are no record
	return tfrecord.IsHeader(head), nil
}

// tfrecordNames keeps the names of TFRecord files: *.tfrecord, *.tfrecords and
// *-00000-of-00010, with or without .gz.
func tfrecordNames(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		stem := strings.TrimSuffix(name, ".gz")
		_, _, _, shard := shardNumber(stem)
		return !shard && !strings.HasSuffix(stem, ".tfrecord") && !strings.HasSuffix(stem, ".tfrecords")
	})
}

// shardNumber parses train-00003-of-00010.
func shardNumber(name string) (stem string, number, of int, ok bool) {
	name, count, _ := cutLast(name, "-of-")
	stem, index, ok := cutLast(name, "-")
	number, err := strconv.Atoi(index)
	of, err2 := strconv.Atoi(count)
	return stem, number, of, ok && err == nil && err2 == nil && len(index) == 5 && len(count) == 5
}

func cutLast(s, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// shardPart is the part that a file is named after, as in train-00000-of-00010
// or flowers_validation.tfrecord.
func shardPart(name string) (part, bool) {
	words := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_.", r) })
	for _, word := range words {
		if p, ok := partNamed(word); ok {
			return p, true
		}
	}
	return 0, false
}

// warnOfMissingShards compares the number of files with the one in their names.
func (l *listing) warnOfMissingShards(files []string) {
	type shards struct {
		stem string
		of   int
	}
	have := map[shards]int{}
	for _, name := range files {
		if stem, _, of, ok := shardNumber(strings.TrimSuffix(name, ".gz")); ok {
			have[shards{stem, of}]++
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(have), func(a, b shards) int { return strings.Compare(a.stem, b.stem) }) {
		if n := have[s]; n < s.of && len(files) > 1 {
			l.warn("%s: only %d of %d files are there", s.stem, n, s.of)
		}
	}
}
