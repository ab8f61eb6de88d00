package pixels

import (
	"bytes"
	"encoding/binary"
)

// Traits are properties of an image that decoding ignores, and that users may
// want to know about.
type Traits struct {
	// Orientation is the EXIF orientation, 1 to 8, or 0 if there is none. Decoding
	// ignores it, as Keras does: with 2 to 8, viewers show the image rotated or
	// flipped, compared with its pixels.
	Orientation int
	// Depth16 is true if channels have 16 bits. Decoding keeps the upper 8.
	Depth16 bool
	// Transparent is true if the image has an alpha channel or a transparent
	// colour. Decoding drops it, which shows the colours underneath.
	Transparent bool
}

// ReadTraits reads the traits of an encoded image. They may be wrong for a
// damaged one.
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

// jpegExif returns the TIFF in a JPEG's APP1 segment, or nil.
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

// orientation returns the value of tag 0x112 in the first directory of a TIFF, or 0.
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

// pngTraits reads all chunks. Colour types 4 and 6 have an alpha channel.
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

// gifTransparent reports whether a control block before the first frame names a
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

// webpTraits reads the flags of the extended header or, without one, of a
// lossless frame.
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

// animatedWebP reports whether a WebP has several frames.
func animatedWebP(b []byte) bool {
	return len(b) > 20 && string(b[12:16]) == "VP8X" && b[20]&0x02 != 0
}
