package pixels

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tftl/internal/standin"
)

// foreign explains, from the first bytes of a file without a supported image,
// what it is and what to do about it.
func foreign(encoded []byte) error {
	if format := foreignFormat(encoded); format != "" {
		return fmt.Errorf("is %s, which is not supported: convert it to JPEG or PNG", format)
	}
	switch standin.Of(encoded) {
	case standin.LFSPointer:
		return errors.New("is a Git LFS pointer, not the image itself: run git lfs pull")
	case standin.WebPage:
		return errors.New("is an HTML page, probably from a failed download: download the image again")
	}
	text := standin.Beginning(encoded)
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return bytes.HasPrefix(text, []byte(p)) })
	}
	switch {
	case begins("<?xml", "<svg", "<!doctype svg"):
		return errors.New("is XML or SVG, not a pixel image: convert it to PNG, or download the image again")
	case begins("{", "["):
		return errors.New("is JSON or other text, probably from a failed download: download the image again")
	}
	return errors.New("is not a JPEG, PNG, BMP, GIF or WebP image")
}

// foreignFormat names a format that TensorFlow does not decode, with an article.
// It is empty for anything unknown.
func foreignFormat(encoded []byte) string {
	has := func(prefix string) bool { return bytes.HasPrefix(encoded, []byte(prefix)) }
	switch {
	case has("II*\x00"), has("MM\x00*"), has("II+\x00"), has("MM\x00+"): // most cameras' raw files are TIFFs
		return "a TIFF or a camera's raw file"
	case has("8BPS"):
		return "a Photoshop file"
	case has("%PDF-"):
		return "a PDF"
	case has("\xff\x0a"), has("\x00\x00\x00\x0cJXL "):
		return "a JPEG XL"
	case has("\x00\x00\x00\x0cjP  "), has("\xff\x4f\xff\x51"):
		return "a JPEG 2000"
	case has("DDS "):
		return "a DDS texture"
	case has("\x76\x2f\x31\x01"):
		return "an OpenEXR image"
	case len(encoded) >= 132 && string(encoded[128:132]) == "DICM":
		return "a DICOM file"
	case len(encoded) < 12 || string(encoded[4:8]) != "ftyp":
		return ""
	}
	switch brand := string(encoded[8:12]); {
	case brand == "avif" || brand == "avis":
		return "an AVIF"
	case strings.HasPrefix(brand, "hei") || strings.HasPrefix(brand, "hev") || brand == "mif1" || brand == "msf1":
		return "a HEIC"
	case brand == "crx ":
		return "a camera's raw file"
	}
	return "a video or a similar file"
}
