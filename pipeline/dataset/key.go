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

// rekey gives every item the key that the split goes by, and says what that is.
// For a split by content it reads every image.
func (l *listing) rekey(options Options) (By, error) {
	grouped := slices.ContainsFunc(l.parts[:], func(items []item) bool {
		return slices.ContainsFunc(items, func(im item) bool { return im.group != "" })
	})
	by := options.By
	switch {
	case by == "" && grouped:
		by = ByGroup
	case by == "":
		by = ByName
	}
	switch {
	case by != ByName && by != ByContent && by != ByGroup:
		return by, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be name, content or group", pipeline.Option("by"), by)
	case by == ByGroup && !grouped:
		err := pipeline.Errorf(pipeline.BadUsage, "%s has no groups to split by", l.root)
		return by, pipeline.WithHint(err, "a manifest can say in a group column which images belong together")
	case by != ByName && options.Exact:
		err := pipeline.Errorf(pipeline.BadUsage, "an exact split would separate what a split by %s keeps together", by)
		return by, pipeline.WithHint(err, "%s goes by name only", pipeline.Option("split-exact"))
	case by == ByContent:
		return by, l.keyByContent()
	case by == ByGroup:
		for _, items := range l.parts {
			for i := range items {
				if items[i].group != "" { // an image without a group is a group of its own
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
				if ctx.Err() != nil { // another image has failed
					return nil
				}
				encoded, err := items[i].stored.read()
				if err != nil {
					return pipeline.Errorf(pipeline.BadData, "%w", err)
				}
				sum := sha256.Sum256(encoded)
				items[i].key = hex.EncodeToString(sum[:])
				if items[i].group == "" { // so that splitting a manifest written of it keeps copies together
					items[i].group = items[i].key
				}
				return nil
			})
		}
	}
	return group.Wait()
}
