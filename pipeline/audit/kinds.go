package audit

import "slices"

// IsKind reports whether a word names a kind.
func IsKind(word string) bool { return slices.Contains(Kinds(), Kind(word)) }

// Copies reports whether findings of the kind come in groups of images that are
// copies of each other.
func (k Kind) Copies() bool { return k == Duplicate || k == SamePixels || k == NearCopy }
