package dataset

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tftl/pipeline"
)

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

// shard is one of several files that hold the images of a data set.
type shard struct {
	path string
	name string // relative to the data set's folder, with forward slashes
	part part
}

// shards says which part each file is named after. Either all are or none: a
// file without a part among others would be trained on without anyone noticing.
// It warns if the names count more files than there are.
func (l *listing) shards(at location, files []string) ([]shard, error) {
	var shards []shard
	var named, unnamed []string
	for _, path := range files {
		name, err := filepath.Rel(at.dir, path)
		if err != nil {
			name = path
		}
		p, ok := shardPart(filepath.Base(path))
		if ok {
			named = append(named, name)
		} else {
			unnamed = append(unnamed, name)
		}
		shards = append(shards, shard{path, filepath.ToSlash(name), p})
	}
	if l.ownParts = len(named) > 0; l.ownParts && len(unnamed) > 0 {
		err := fmt.Errorf("%s: next to %s, which are named after parts, there are other files: %s", at.path, quoted(named), quoted(unnamed))
		return nil, pipeline.WithHint(err, "pass the files of one data set only, with a pattern such as %s", filepath.Join(at.dir, "train-*"))
	}
	l.warnOfMissingShards(files)
	return shards, nil
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
