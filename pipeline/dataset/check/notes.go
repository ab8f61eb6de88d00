package check

import "fmt"

// Notes count the images of which decoding silently drops something, as Keras
// does. That need not be a fault.
type Notes struct {
	// Turned have an EXIF orientation of 2 to 8: viewers show them turned or
	// mirrored, while the network sees the pixels as stored.
	Turned int `json:"turned"`
	// Transparent have an alpha channel or a transparent colour. It is dropped, so
	// hidden pixels show.
	Transparent int `json:"transparent"`
	// Depth16 have 16 bits per channel, of which the upper 8 are kept.
	Depth16 int `json:"depth16"`
	// Dark16 of these then use at most a quarter of the levels, as images of 12 or
	// 14 bits do that were not scaled to 16. Brightest is their highest level.
	Dark16    int `json:"dark16"`
	Brightest int `json:"dark16_brightest"`
}

// dark is the quarter of the levels from 0 to 255.
const dark = 64

// note counts what decoding drops from the images that can be decoded. An image's
// brightest level is that of its thumbnail, whose pixels are averages.
func (r *Report) note(images []image) {
	n := &r.Notes
	for _, im := range images {
		if !im.decoded {
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

// lines are the notes for a person, without zeros.
func (n Notes) lines() (lines []string) {
	add := func(count int, what string) {
		switch {
		case count == 1:
			lines = append(lines, "1 image has "+what)
		case count > 1:
			lines = append(lines, fmt.Sprintf("%d images have %s", count, what))
		}
	}
	add(n.Turned, "an EXIF orientation, which is ignored")
	add(n.Transparent, "transparency, which is dropped: hidden pixels show")
	add(n.Depth16, "16 bits per channel, of which the upper 8 are kept")
	switch {
	case n.Depth16 == 1 && n.Dark16 == 1:
		lines[len(lines)-1] += fmt.Sprintf("; it does not exceed level %d of 255: scale it to all 16 bits", n.Brightest)
	case n.Dark16 > 0:
		lines[len(lines)-1] += fmt.Sprintf("; %d of them do not exceed level %d of 255: scale them to all 16 bits", n.Dark16, n.Brightest)
	}
	return lines
}
