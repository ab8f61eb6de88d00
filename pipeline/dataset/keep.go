package dataset

// Keep is the part with only those images that keep holds for. No file is
// touched, and no image changes its part.
func (p Part) Keep(keep func(i int) bool) Part {
	var kept []entry
	for i, e := range p.entries {
		if keep(i) {
			kept = append(kept, e)
		}
	}
	return Part{kept}
}
