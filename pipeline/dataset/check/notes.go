package check

import "fmt"

// Notes count the images of which decoding drops something without a word, as
// Keras does. None of it need be a fault.
type Notes struct {
	// Turned have an Exif orientation of 2 to 8: a viewer shows them turned or
	// mirrored, while the network sees the pixels as they lie in the file.
	Turned int `json:"turned"`
	// Transparent have an alpha channel or a transparent colour. It is dropped:
	// what lies below counts.
	Transparent int `json:"transparent"`
	// Depth16 have 16 bits a channel, of which the upper 8 are kept.
	Depth16 int `json:"depth16"`
	// Dark16 of these use no more than a quarter of the levels then, as images of 12
	// or 14 bits do that were not scaled to 16; Brightest is the highest level of all.
	Dark16    int `json:"dark16"`
	Brightest int `json:"dark16_brightest"`
}

// dark is the quarter of the levels from 0 to 255.
const dark = 64

// note counts what decoding drops, in the images that can be decoded. An image's
// brightest level is its thumbnail's, whose pixels are averages.
func (r *Report) note(images []image) {
	n := &r.Notes
	for _, im := range images {
		if im.thumbnail == nil {
			continue
		}
		if im.header.Orientation > 1 {
			n.Turned++
		}
		if im.header.Transparent {
			n.Transparent++
		}
		if !im.header.Depth16 {
			continue
		}
		n.Depth16++
		if im.brightest < dark {
			n.Dark16++
			n.Brightest = max(n.Brightest, int(im.brightest))
		}
	}
}

// lines are the notes for a person, of what there is.
func (n Notes) lines() (lines []string) {
	add := func(count int, one, many string) {
		switch {
		case count == 1:
			lines = append(lines, "1 image has "+one)
		case count > 1:
			lines = append(lines, fmt.Sprintf("%d images have %s", count, many))
		}
	}
	add(n.Turned, "an Exif orientation: viewers turn it, decoding does not", "an Exif orientation: viewers turn them, decoding does not")
	add(n.Transparent, "transparency, which is dropped: what lies below counts", "transparency, which is dropped: what lies below counts")
	add(n.Depth16, "16 bits a channel, of which the upper 8 are kept", "16 bits a channel, of which the upper 8 are kept")
	switch {
	case n.Depth16 == 1 && n.Dark16 == 1:
		lines[len(lines)-1] += fmt.Sprintf("; of 256 levels, it reaches level %d at most: scale it to all 16 bits", n.Brightest)
	case n.Dark16 > 0:
		lines[len(lines)-1] += fmt.Sprintf("; of 256 levels, %d of them reach level %d at most: scale them to all 16 bits", n.Dark16, n.Brightest)
	}
	return lines
}
