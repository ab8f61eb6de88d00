// Package standin recognizes what version control and web servers leave in place
// of a file. It does not judge any other contents.
package standin

import "bytes"

// Kind is what is in place of a file.
type Kind int

// The kinds.
const (
	None       Kind = iota // nothing known
	LFSPointer             // a Git LFS pointer, which `git lfs pull` replaces with the file
	WebPage                // HTML, for example of a failed download
)

// Of looks at the beginning of a file.
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
// and leading space.
func Beginning(contents []byte) []byte {
	head := bytes.TrimPrefix(contents[:min(len(contents), 512)], []byte("\ufeff"))
	return bytes.ToLower(bytes.TrimLeft(head, " \t\r\n"))
}
