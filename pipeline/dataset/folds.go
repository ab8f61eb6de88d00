package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"tftl/pipeline"
)

// Folds deals all images into k folds, 0 to k-1, by ID, for a cross-validation
// by others: each fold is held out once. They go by what the parts go by, so
// images that stay together in a part share a fold, and none changes its fold
// when others are added. With options.Exact the folds are as equal as they can
// be in each class, in the test part as in the others, and not stable.
func (s *Set) Folds(k int, options Options) (map[string]int, error) {
	if k < 2 {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%d folds: must be 2 or more", k)
	}
	folds := map[string]int{}
	if !options.Exact {
		for _, p := range [...]Part{s.Train, s.Validation, s.Test} {
			for _, e := range p.entries {
				// Another hash than a part's: every fold has its share of every part.
				folds[e.sample.ID] = int(place("fold "+e.key) * float64(k))
			}
		}
		return folds, nil
	}
	at := 0
	for _, p := range [...][]entry{slices.Concat(s.Train.entries, s.Validation.entries), s.Test.entries} {
		for _, e := range drawn(p, options.Seed) {
			folds[e.sample.ID] = at % k
			at++
		}
	}
	return folds, nil
}

// holdOut makes one fold of a manifest's column the test part, and the others
// the train part. count is how many folds there are.
func holdOut(rows []row, fold int) (count int, err error) {
	var held bool
	for i := range rows {
		r := &rows[i]
		n, err := strconv.Atoi(r.fold)
		switch {
		case r.fold == "":
			err := pipeline.Errorf(pipeline.BadData, "line %d: has no fold", r.line)
			return 0, pipeline.WithHint(err, "tftl split --folds writes a manifest with a column of folds")
		case err != nil || n < 0:
			return 0, pipeline.Errorf(pipeline.BadData, "line %d: fold %q is no number of 0 or more", r.line, r.fold)
		}
		r.part, r.split = train, true
		if n == fold {
			r.part, held = test, true
		}
		count = max(count, n+1)
	}
	if !held {
		return 0, pipeline.Errorf(pipeline.BadUsage, "--fold %d: has no such fold, but 0 to %d", fold, count-1)
	}
	return count, nil
}

// drawn is the entries class by class, each in an order drawn by the seed.
func drawn(entries []entry, seed uint64) []entry {
	order := make(map[string][sha256.Size]byte, len(entries))
	for _, e := range entries {
		order[e.sample.ID] = sha256.Sum256(append(binary.BigEndian.AppendUint64([]byte("fold "), seed), e.key...))
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b entry) int {
		x, y := order[a.sample.ID], order[b.sample.ID]
		return cmp.Or(cmp.Compare(a.sample.Label, b.sample.Label), slices.Compare(x[:], y[:]), byID(a, b))
	})
	return entries
}
