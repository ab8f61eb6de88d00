// Package shard divides a job among tasks that know nothing of each other, and puts
// together what they found.
//
// Each task is a shard, such as 3/10, and writes one file: what the model said of the
// shard's images, as it said it. Open checks that files belong together and are
// complete; Answers reads them in the order of a single task. FORMAT.md specifies the
// files.
//
// This package decides and measures nothing, and is not for tasks that have to talk
// to each other.
package shard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"iter"
	"strconv"
	"strings"

	"tftl/pipeline"
)

// MaxCount is the most shards of a job. Merging opens as many files at a time.
const MaxCount = 1024

// Option is the option that says which shard a task is.
const Option = pipeline.Option("shard")

// Shard is a task of a job. The zero value is a job of one task, which is not divided.
type Shard struct {
	Number int // from 1
	Count  int
}

// Parse reads I/N.
func Parse(text string) (Shard, error) {
	number, count, _ := strings.Cut(text, "/")
	i, err := strconv.Atoi(number)
	n, wrong := strconv.Atoi(count)
	if err == nil && wrong == nil && 1 <= i && i <= n && n <= MaxCount {
		return Shard{i, n}, nil
	}
	bad := pipeline.Errorf(pipeline.BadUsage, "%s %q: must be I/N, such as 3/10, with I from 1 to N and N up to %d", Option, text, MaxCount)
	if err == nil && i == 0 {
		return Shard{}, pipeline.WithHint(bad, "shards are counted from 1")
	}
	return Shard{}, bad
}

// String is what Parse reads.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Number, s.Count) }

// Has reports whether image i of a list belongs to the shard: blocks of consecutive
// images go to the shards in turn.
func (s Shard) Has(i, block int) bool { return i/block%s.Count == s.Number-1 }

// share is the number of images that a shard has of a list.
func (s Shard) share(images, block int) int {
	round := block * s.Count
	rest := images%round - block*(s.Number-1)
	return images/round*block + min(max(rest, 0), block)
}

// List is the list of images that a job divides. Two tasks with the same digest and
// length saw the same list. The zero value is empty.
type List struct {
	hash hash.Hash
	len  int
}

// Add adds an image with its label, which is below 0 if it has none.
func (l *List) Add(id string, label int) {
	if l.hash == nil {
		l.hash = sha256.New()
	}
	fmt.Fprintf(l.hash, "%q %d\n", id, label)
	l.len++
}

// Len is the number of images.
func (l *List) Len() int { return l.len }

// Digest identifies the list.
func (l *List) Digest() string {
	if l.hash == nil {
		l.hash = sha256.New()
	}
	return hex.EncodeToString(l.hash.Sum(nil))
}

// Images returns a shard's images of a list, and adds all of the list to l.
func (s Shard) Images(images iter.Seq2[pipeline.Image, error], block int, l *List) iter.Seq2[pipeline.Image, error] {
	return func(yield func(pipeline.Image, error) bool) {
		for image, err := range images {
			mine := err != nil || s.Has(l.Len(), block)
			if err == nil {
				l.Add(image.ID, -1)
			}
			if mine && !yield(image, err) {
				return
			}
		}
	}
}
