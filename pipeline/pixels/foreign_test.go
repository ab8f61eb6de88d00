package pixels

import (
	"bytes"
	"strings"
	"testing"
)

// The error for a file without an image says what the file is.
func TestForeignFiles(t *testing.T) {
	for begins, want := range map[string]string{
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic":                    "is a HEIC, which is not supported: convert it to JPEG or PNG",
		"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic":                    "is a HEIC, ",
		"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00":                            "is an AVIF, ",
		"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01":                            "is a camera's raw file, ",
		"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00":                            "is a video or a similar file, ",
		"II*\x00\x08\x00\x00\x00":                                             "is a TIFF or a camera's raw file, ",
		"MM\x00*\x00\x00\x00\x08":                                             "is a TIFF or a camera's raw file, ",
		"%PDF-1.7\n":                                                          "is a PDF, ",
		"\xff\x0a\xfa\x1f":                                                    "is a JPEG XL, ",
		strings.Repeat("\x00", 128) + "DICM\x02\x00":                          "is a DICOM file, ",
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n": "is a Git LFS pointer, not the image itself: run git lfs pull",
		"<!DOCTYPE html>\n<title>404</title>":                                 "is an HTML page, probably from a failed download: download the image again",
		"\xef\xbb\xbf\r\n <html>":                                             "is an HTML page, ",
		"<?xml version=\"1.0\"?><svg/>":                                       "is XML or SVG, ",
		"{\"error\": \"not found\"}":                                          "is JSON or other text, ",
		"nothing of the kind":                                                 "is not a JPEG, PNG, BMP, GIF or WebP image",
		strings.Repeat("\x00", 5000):                                          "is not a JPEG, PNG, BMP, GIF or WebP image",
	} {
		for cut := range len(begins) { // cut short anywhere, it is an error, not a panic
			if err := foreign([]byte(begins[:cut])); err == nil {
				t.Errorf("%q cut to %d bytes: no error", begins, cut)
			}
		}
		_, err := ReadHeader(append([]byte(begins), bytes.Repeat([]byte{7}, 40)...))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: %v; want %q", begins, err, want)
		}
	}
}
