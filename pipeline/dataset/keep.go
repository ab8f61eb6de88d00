package dataset

// Keep is the part with those images alone that keep holds for. The others
// stay where they are on disk, and no image changes its part.
func (p Part) Keep(keep func(i int) bool) Part {
	var kept []entry
	for i, e := range p.entries {
		if keep(i) {
			kept = append(kept, e)
		}
	}
	return Part{kept}
}
