package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"tftl/pipeline"
)

// Folds returns a fold for each image ID, from 0 to k-1, for cross-validation.
// Folds go by what the parts go by: images that stay together share a fold, and
// no image changes its fold when others are added. With options.Exact they are
// not stable, but as equal as possible in each class, both within the test part
// and outside it, as far as images that stay together allow.
func (s *Set) Folds(k int, options Options) (map[string]int, error) {
	if k < 2 || k > MaxFolds {
		return nil, pipeline.Errorf(pipeline.BadUsage, "%d folds: must be from 2 to %d", k, MaxFolds)
	}
	folds := map[string]int{}
	if !options.Exact {
		for _, p := range s.Parts() {
			for _, e := range p.entries {
				// Not the hash of the split, so that every fold has images of every part.
				folds[e.sample.ID] = int(place("fold "+e.key) * float64(k))
			}
		}
		return folds, nil
	}
	dealt := map[string]int{} // by key
	for _, p := range [...][]entry{slices.Concat(s.Train.entries, s.Validation.entries), s.Test.entries} {
		for _, e := range drawn(p, options.Seed) {
			if _, ok := dealt[e.key]; !ok {
				dealt[e.key] = len(dealt) % k
			}
			folds[e.sample.ID] = dealt[e.key]
		}
	}
	return folds, nil
}

// Together returns, by the ID of each image, a name that it shares with the images that
// stay in one part and one fold with it.
func (s *Set) Together() map[string]string {
	names := map[string]string{}
	for _, p := range s.Parts() {
		for _, e := range p.entries {
			names[e.sample.ID] = e.key
		}
	}
	return names
}

// foldsHint says where folds come from.
const foldsHint = "tftl split with %s writes a manifest with a fold column"

// holdOut makes one fold the test part and the others the train part. count is
// the number of folds.
func holdOut(rows []row, fold int) (count int, err error) {
	var held bool
	for i := range rows {
		r := &rows[i]
		n, err := strconv.Atoi(r.fold)
		switch {
		case r.fold == "":
			err := pipeline.Errorf(pipeline.BadData, "line %d: has no fold", r.line)
			return 0, pipeline.WithHint(err, foldsHint, pipeline.Option("folds"))
		case err != nil || n < 0 || n >= MaxFolds:
			return 0, pipeline.Errorf(pipeline.BadData, "line %d: fold %q is not a whole number from 0 to %d", r.line, r.fold, MaxFolds-1)
		}
		r.part, r.split = train, true
		if n == fold {
			r.part, held = test, true
		}
		count = max(count, n+1)
	}
	if !held {
		return 0, pipeline.Errorf(pipeline.BadUsage, "%s %d: there is no such fold, only 0 to %d", pipeline.Option("fold"), fold, count-1)
	}
	return count, nil
}

// drawn is the entries class by class, each class in an order drawn by the seed.
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
