package pixels

import (
	"bytes"
	"encoding/binary"
)

// Traits are what decoding passes over without a word, so that a person may want
// to know of it.
type Traits struct {
	// Orientation is Exif's, 1 to 8, or 0 where there is none. Decoding turns
	// nothing, as in Keras: of 2 to 8 the pixels lie otherwise than viewers show them.
	Orientation int
	// Depth16 is whether a channel has 16 bits, of which decoding keeps the upper 8.
	Depth16 bool
	// Transparent is whether the image has an alpha channel or a transparent
	// colour. Decoding drops it: what lies below shows.
	Transparent bool
}

// ReadTraits finds them in an encoded image. Of a damaged one they may be wrong.
func ReadTraits(encoded []byte) Traits {
	switch Format(encoded) {
	case "JPEG":
		return Traits{Orientation: orientation(jpegExif(encoded))}
	case "PNG":
		return pngTraits(encoded)
	case "GIF":
		return Traits{Transparent: gifTransparent(encoded)}
	case "WebP":
		return webpTraits(encoded)
	}
	return Traits{}
}

// jpegExif is the TIFF of a JPEG's APP1 segment, or nil.
func jpegExif(b []byte) []byte {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker, length := b[at+1], int(binary.BigEndian.Uint16(b[at+2:]))
		end := at + 2 + length
		if marker == 0xda || length < 2 || end > len(b) {
			return nil
		}
		if exif, is := bytes.CutPrefix(b[at+4:end], []byte("Exif\x00\x00")); marker == 0xe1 && is {
			return exif
		}
		at = end
	}
	return nil
}

// orientation is the value of tag 0x112 in the first directory of a TIFF, or 0.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 0
		}
		if order.Uint16(entries) == 0x112 {
			if value := int(order.Uint16(entries[8:])); value <= 8 {
				return value
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}

// pngTraits walks the chunks. Colour types 4 and 6 have an alpha channel.
func pngTraits(b []byte) (t Traits) {
	if len(b) < 26 {
		return t
	}
	t.Depth16, t.Transparent = b[24] == 16, b[25] == 4 || b[25] == 6
	for at := int64(8); at+8 <= int64(len(b)); {
		length := int64(binary.BigEndian.Uint32(b[at:]))
		end := at + 8 + length
		if end > int64(len(b)) {
			return t
		}
		switch string(b[at+4 : at+8]) {
		case "tRNS":
			t.Transparent = true
		case "eXIf":
			t.Orientation = orientation(b[at+8 : end])
		}
		at = end + 4 // past the checksum
	}
	return t
}

// gifTransparent says whether a control block before the first frame names a
// transparent colour.
func gifTransparent(b []byte) bool {
	if len(b) < 13 {
		return false
	}
	for at := 13 + colours(b[10]); at+3 < len(b) && b[at] == 0x21; at = subBlocks(b, at+2) {
		if b[at+1] == 0xf9 {
			return b[at+3]&1 != 0
		}
	}
	return false
}

// webpTraits reads the flags of the extended header and, of a lossless frame
// without one, its own.
func webpTraits(b []byte) (t Traits) {
	if len(b) < 30 {
		return t
	}
	switch string(b[12:16]) {
	case "VP8L":
		t.Transparent = binary.LittleEndian.Uint32(b[21:])>>28&1 != 0
	case "VP8X":
		t.Transparent = b[20]&0x10 != 0
		for at := int64(12); b[20]&0x08 != 0 && at+8 <= int64(len(b)); {
			length := int64(binary.LittleEndian.Uint32(b[at+4:]))
			end := at + 8 + length
			if end > int64(len(b)) {
				return t
			}
			if string(b[at:at+4]) == "EXIF" {
				t.Orientation = orientation(bytes.TrimPrefix(b[at+8:end], []byte("Exif\x00\x00")))
			}
			at = end + length&1
		}
	}
	return t
}

// animatedWebP says whether a WebP is one of several frames.
func animatedWebP(b []byte) bool {
	return len(b) > 20 && string(b[12:16]) == "VP8X" && b[20]&0x02 != 0
}
