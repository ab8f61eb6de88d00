// Package findings keeps what an audit found: as a table, as a baseline of what is
// known, as a summary with gates, and as what to leave out of training. It finds
// nothing itself; that is package audit.
package findings

import (
	"cmp"
	"slices"

	"tftl/pipeline/audit"
)

// Sort puts findings in the order in which they are shown: groups of copies that cross
// parts, then the kinds in order, and the worst first within a kind. Images of a group
// stay together. The order depends on the findings alone.
func Sort(findings []audit.Finding) {
	worst := map[int]audit.Finding{} // of each group: its first kind and highest score
	for _, f := range findings {
		w, ok := worst[f.Group]
		if !ok {
			w = f
		}
		if rank(f.Kind) < rank(w.Kind) {
			w.Kind = f.Kind
		}
		w.Score, w.Leak = max(w.Score, f.Score), w.Leak || f.Leak
		worst[f.Group] = w
	}
	place := func(f audit.Finding) audit.Finding {
		if f.Group > 0 {
			return worst[f.Group]
		}
		return f
	}
	slices.SortStableFunc(findings, func(a, b audit.Finding) int {
		x, y := place(a), place(b)
		return cmp.Or(
			-compareBool(x.Leak, y.Leak), cmp.Compare(rank(x.Kind), rank(y.Kind)), -cmp.Compare(x.Score, y.Score),
			cmp.Compare(a.Group, b.Group), cmp.Compare(a.Image, b.Image), cmp.Compare(rank(a.Kind), rank(b.Kind)))
	})
}

func rank(k audit.Kind) int { return slices.Index(audit.Kinds(), k) }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
