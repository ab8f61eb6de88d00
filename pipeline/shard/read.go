package shard

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"

	"tftl/internal/gz"
	"tftl/internal/regular"
	"tftl/pipeline"
)

// Set is the files of all shards of a job.
type Set struct {
	Header          // of the first shard
	paths  []string // in the order of the shards
	lists  []end
	// Processors are those that the shards were computed on, each once.
	Processors []string
}

// Open opens the files of a job, in any order. It reads all of them, and is an error
// unless they are complete, undamaged, and belong together.
func Open(paths []string) (*Set, error) {
	var s *Set
	headers := map[int]Header{}
	for _, path := range paths {
		h, lists, err := examine(path)
		if err != nil {
			return nil, err
		}
		if s == nil {
			s = &Set{Header: h, lists: lists, paths: make([]string, h.Shard.Count)}
		}
		if err := s.add(path, h, lists); err != nil {
			return nil, err
		}
		headers[h.Shard.Number] = h
	}
	if s == nil {
		return nil, pipeline.Errorf(pipeline.BadUsage, "expected the files of a job's shards, got none")
	}
	if err := s.complete(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for number := range s.Shard.Count {
		if p := headers[number+1].Processor; !seen[p] {
			seen[p] = true
			s.Processors = append(s.Processors, p)
		}
	}
	s.Header = headers[1]
	return s, nil
}

// add adds a shard, or says why it does not belong to the others.
func (s *Set) add(path string, h Header, lists []end) error {
	if h.Shard.Count != s.Shard.Count {
		return bad(path, "is shard %v, but %s is shard %v", h.Shard, s.path(), s.Shard)
	}
	first := s.path()
	if err := differ(path, cmp.Or(first, path), h, s.Header); err != nil {
		return err
	}
	for i, list := range lists {
		if len(lists) != len(s.lists) || list.Images != s.lists[i].Images || list.List != s.lists[i].List {
			err := bad(path, "its list of images is not that of %s", first)
			return pipeline.WithHint(err, "the data has changed, or is not the same everywhere: run those shards again")
		}
	}
	if other := s.paths[h.Shard.Number-1]; other != "" {
		return bad(path, "is shard %v, and so is %s", h.Shard, other)
	}
	s.paths[h.Shard.Number-1] = path
	return nil
}

// path is one of the files that have been added.
func (s *Set) path() string { return cmp.Or(s.paths...) }

// complete returns an error if a shard is missing.
func (s *Set) complete() error {
	missing, first := 0, 0
	for i, path := range s.paths {
		if path == "" {
			missing, first = missing+1, cmp.Or(first, i+1)
		}
	}
	switch missing {
	case 0:
		return nil
	case 1:
		return pipeline.Errorf(pipeline.BadData, "shard %v is missing", Shard{first, s.Shard.Count})
	}
	return pipeline.Errorf(pipeline.BadData, "%d of %d shards are missing; the first is %v", missing, s.Shard.Count, Shard{first, s.Shard.Count})
}

// Lists is the number of lists of images that the job has.
func (s *Set) Lists() int { return len(s.lists) }

// Len is the number of images in a list.
func (s *Set) Len(list int) int { return s.lists[list].Images }

// Answers reads the answers for a list of images in its order, a block at a time. Its
// memory does not depend on their number.
func (s *Set) Answers(list int) iter.Seq2[[]Answer, error] {
	return func(yield func([]Answer, error) bool) {
		files := make([]*file, len(s.paths))
		defer func() {
			for _, f := range files {
				f.close()
			}
		}()
		for at := 0; at < s.Len(list); at += s.Block {
			k := at / s.Block % len(files)
			var block []Answer
			var err error
			if files[k] == nil {
				files[k], err = openAt(s.paths[k], list) // which is closed, whatever comes
			}
			if err == nil {
				block, err = files[k].block(min(s.Block, s.Len(list)-at), len(s.Classes))
			}
			if !yield(block, err) || err != nil {
				return
			}
		}
	}
}

// Outcomes is Answers in the pieces that pipeline.Stream would have yielded.
func (s *Set) Outcomes(list, batchSize int) iter.Seq2[[]pipeline.Outcome, error] {
	return func(yield func([]pipeline.Outcome, error) bool) {
		var piece []pipeline.Outcome
		good := 0
		for block, err := range s.Answers(list) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, a := range block {
				piece = append(piece, a.Outcome)
				if a.Err == nil {
					good++
				}
				if pipeline.Due(good, len(piece), batchSize) {
					if !yield(piece, nil) {
						return
					}
					piece, good = nil, 0
				}
			}
		}
		if len(piece) > 0 {
			yield(piece, nil)
		}
	}
}

// bad is an error about a file.
func bad(path, format string, args ...any) error {
	return pipeline.Errorf(pipeline.BadData, "%s: %w", path, fmt.Errorf(format, args...))
}

// file is a shard's file that is being read.
type file struct {
	path string
	f    *os.File
	in   *bufio.Reader
	sum  hash.Hash // of the lines so far
	n    int       // the number of the line
}

func open(path string) (*file, Header, error) {
	var h Header
	f, err := regular.Open(path)
	if err != nil {
		return nil, h, pipeline.Errorf(pipeline.BadUsage, "%w", err)
	}
	text, err := gz.NewReader(f)
	if err != nil {
		_ = f.Close()
		return nil, h, bad(path, "%w", err)
	}
	r := &file{path: path, f: f, in: bufio.NewReader(text), sum: sha256.New()}
	line, err := r.line()
	if err == nil {
		h, err = readHeader(path, line)
		r.sum.Write(line)
	}
	if err != nil {
		r.close()
		return nil, h, err
	}
	return r, h, nil
}

func readHeader(path string, line []byte) (h Header, err error) {
	if !bytes.HasPrefix(line, []byte(`{"tftl_shard":`)) {
		return h, pipeline.WithHint(bad(path, "is not the file of a shard"), "%s of evaluate and predict writes one to standard output", Option)
	}
	err = json.Unmarshal(line, &h)
	switch {
	case h.Format > format:
		return h, bad(path, "is of a newer version of tftl")
	case err == nil && (h.Format != format || h.Shard.Count == 0 || h.Block < 1 || h.Block > pipeline.MaxBatchSize || len(h.Classes) == 0):
		err = errors.New("the header is incomplete")
	}
	if err != nil {
		return h, bad(path, "line 1: %w", err)
	}
	return h, nil
}

func (f *file) close() {
	if f != nil {
		_ = f.f.Close()
	}
}

// line reads a line. A file that ends before is cut off.
func (f *file) line() (line []byte, err error) {
	f.n++
	for {
		piece, err := f.in.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case len(line) > maxLine:
			return nil, bad(f.path, "line %d: has more than the limit of %d bytes", f.n, maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && f.n == 1:
			return line, nil // no shard, or one that has just begun
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, pipeline.WithHint(bad(f.path, "is cut off"), "the task did not end yet, or failed: run that shard again")
		case err != nil:
			return nil, bad(f.path, "line %d: %w", f.n, err)
		}
		return line, nil
	}
}

// next reads the next line: an answer, or the end of a list.
func (f *file) next() (line []byte, last *end, err error) {
	if line, err = f.line(); err != nil {
		return nil, nil, err
	}
	if bytes.HasPrefix(line, []byte(`{"end":`)) {
		last = new(end)
		if err := json.Unmarshal(line, last); err != nil {
			return nil, nil, bad(f.path, "line %d: %w", f.n, err)
		}
		if last.SHA256 != hex.EncodeToString(f.sum.Sum(nil)) {
			return nil, nil, bad(f.path, "is damaged: its SHA-256 is not that in line %d", f.n)
		}
	}
	f.sum.Write(line)
	return line, last, nil
}

// examine reads a whole file, but does not look into the answers.
func examine(path string) (h Header, lists []end, err error) {
	f, h, err := open(path)
	if err != nil {
		return h, nil, err
	}
	defer f.close()
	for answers := 0; ; {
		_, last, err := f.next()
		switch {
		case err != nil:
			return h, nil, err
		case last == nil:
			answers++
			continue
		case last.Images < 0 || answers != h.Shard.share(last.Images, h.Block):
			return h, nil, bad(path, "line %d: has %d answers, which is not the share of shard %v of %d images", f.n, answers, h.Shard, last.Images)
		case len(lists) == mostLists:
			return h, nil, bad(path, "line %d: has more than %d lists of images", f.n, mostLists)
		}
		lists, answers = append(lists, end{Images: last.Images, List: last.List}), 0
		if last.Last {
			break
		}
	}
	if _, err := f.in.ReadByte(); !errors.Is(err, io.EOF) {
		return h, nil, bad(path, "line %d: should be the last", f.n)
	}
	return h, lists, nil
}

// mostLists is the most lists of images of a job: the validation part, and the part to
// measure.
const mostLists = 2

// openAt opens a file that has been examined, at the answers for a list.
func openAt(path string, list int) (*file, error) {
	f, _, err := open(path)
	for list > 0 && err == nil {
		var last *end
		if _, last, err = f.next(); last != nil {
			list--
		}
	}
	return f, err
}

// block reads n answers.
func (f *file) block(n, classes int) ([]Answer, error) {
	answers := make([]Answer, n)
	for i := range answers {
		line, last, err := f.next()
		if err == nil && last != nil {
			err = errors.New("the file has changed")
		}
		if err == nil {
			answers[i], err = readAnswer(line, classes)
			err = wrap(f.path, f.n, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func wrap(path string, line int, err error) error {
	if err == nil {
		return nil
	}
	return bad(path, "line %d: %w", line, err)
}

func readAnswer(line []byte, classes int) (a Answer, err error) {
	var stored answer
	if err := json.Unmarshal(line, &stored); err != nil {
		return a, err
	}
	if stored.Label < -1 || stored.Label >= classes {
		return a, fmt.Errorf("the label %d is not one of %d classes", stored.Label, classes)
	}
	a.Sample = pipeline.Sample{ID: string(stored.ID), Label: stored.Label, Weight: 1}
	for _, value := range stored.Values {
		a.Values = append(a.Values, string(value))
	}
	if stored.Error != "" {
		a.Err = pipeline.Errorf(pipeline.BadData, "%s", stored.Error)
		if stored.Hint != "" {
			a.Err = pipeline.WithHint(a.Err, "%s", stored.Hint)
		}
		return a, nil
	}
	a.Logits, a.Probabilities, a.Novelty = stored.Logits, stored.Probabilities, stored.Novelty
	if a.Logits != nil && len(a.Logits) != classes || a.Probabilities != nil && len(a.Probabilities) != classes || a.Logits == nil && a.Probabilities == nil {
		return a, fmt.Errorf("has %d logits and %d probabilities for %d classes", len(a.Logits), len(a.Probabilities), classes)
	}
	if a.Probabilities == nil {
		a.Probabilities = pipeline.Softmax(a.Logits)
	}
	return a, nil
}
