// Package standin recognises what version control and web servers leave under a
// file's name in place of the file. It does not judge any other contents.
package standin

import "bytes"

// Kind is what stands in for a file.
type Kind int

// The kinds.
const (
	None       Kind = iota // nothing that is known
	LFSPointer             // the text of Git LFS, which `git lfs pull` replaces
	WebPage                // HTML, of a failed download for one
)

// Of tells by the beginning of a file what stands in for it.
func Of(contents []byte) Kind {
	text := Beginning(contents)
	switch {
	case bytes.HasPrefix(text, []byte("version https://git-lfs.github.com/spec/")):
		return LFSPointer
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")):
		return WebPage
	}
	return None
}

// Beginning is the beginning of a text in lower case, without a byte order mark
// and the space before it.
func Beginning(contents []byte) []byte {
	head := bytes.TrimPrefix(contents[:min(len(contents), 512)], []byte("\ufeff"))
	return bytes.ToLower(bytes.TrimLeft(head, " \t\r\n"))
}
