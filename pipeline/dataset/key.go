package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
)

// rekey gives every item the key that the cut is to go by, and says which
// that is. Where it is the content, every image is read.
func (l *listing) rekey(options Options) (By, error) {
	grouped := slices.ContainsFunc(slices.Concat(l.parts[:]...), func(im item) bool { return im.group != "" })
	by := options.By
	switch {
	case by == "" && grouped:
		by = ByGroup
	case by == "":
		by = ByName
	}
	switch {
	case by != ByName && by != ByContent && by != ByGroup:
		return by, pipeline.Errorf(pipeline.BadUsage, "a split by %q: it is one of name, content, group", by)
	case by == ByGroup && !grouped:
		err := pipeline.Errorf(pipeline.BadUsage, "%s has no groups to split by", l.root)
		return by, pipeline.WithHint(err, "a manifest's column named group says which images belong together")
	case by != ByName && options.Exact:
		err := pipeline.Errorf(pipeline.BadUsage, "an exact split would tear apart what a split by %s keeps together", by)
		return by, pipeline.WithHint(err, "--split-exact goes by name alone")
	case by == ByContent:
		return by, l.keyByContent()
	case by == ByGroup:
		for _, items := range l.parts {
			for i := range items {
				if items[i].group != "" { // one without a group is alone in its own
					items[i].key = items[i].group
				}
			}
		}
	}
	return by, nil
}

func (l *listing) keyByContent() error {
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, items := range l.parts {
		for i := range items {
			group.Go(func() error {
				if ctx.Err() != nil { // another has failed
					return nil
				}
				encoded, err := items[i].stored.read()
				if err != nil {
					return pipeline.Errorf(pipeline.BadData, "%w", err)
				}
				sum := sha256.Sum256(encoded)
				items[i].key = hex.EncodeToString(sum[:])
				if items[i].group == "" { // so that a manifest keeps copies together in what is cut from it
					items[i].group = items[i].key
				}
				return nil
			})
		}
	}
	return group.Wait()
}
