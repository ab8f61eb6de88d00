package pixels

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits on one image, because a small file may decode to more than fits into
// memory. They are checked before TensorFlow sees the image.
const (
	// maxPixels is the limit above which Pillow raises DecompressionBombError.
	maxPixels = 2 * 89_478_485
	maxBytes  = 256 << 20
	// maxScans is the limit that libjpeg-turbo recommends; most files have ten. Each
	// goes over the whole image, which of the largest may have scansOfLargest.
	maxScans       = 500
	scansOfLargest = 20
	// maxGIFBlocks is how many frames and blocks of extensions may follow each other.
	// giflib keeps a record of each.
	maxGIFBlocks = 1 << 20
)

// Header is what an image's header says.
type Header struct {
	Format        string // as returned by the function Format
	Width, Height int
	// Pixels is the number for which decoding allocates memory. It is more than
	// Width times Height for a GIF of several frames: all are decoded to get the
	// first.
	Pixels int64

	components int  // of a JPEG: 1, 3 or 4; 0 if the file ends before it
	scans      bool // of a JPEG: it has several scans, each of the whole image
}

// ReadHeader reads an image's size from the same place as the libraries that
// TensorFlow decodes it with, in about a microsecond. The size of a damaged image
// may be wrong, but decoding then never allocates more.
//
// The standard library's DecodeConfig is not enough: it refuses JPEGs that
// libjpeg accepts, and does not read the frames of a GIF.
func ReadHeader(encoded []byte) (Header, error) {
	h := Header{Format: Format(encoded)}
	var err error
	switch h.Format {
	case "JPEG":
		err = h.jpeg(encoded)
	case "PNG":
		err = h.png(encoded)
	case "GIF":
		err = h.gif(encoded)
	case "BMP":
		err = h.bmp(encoded)
	case "WebP":
		err = h.webp(encoded)
	default:
		return h, foreign(encoded)
	}
	if err != nil {
		return h, fmt.Errorf("is a damaged %s: %w", h.Format, err)
	}
	h.Pixels = max(h.Pixels, int64(h.Width)*int64(h.Height))
	return h, nil
}

// admit refuses images that are over the limits or would be decoded wrongly.
func admit(encoded []byte) (h Header, err error) {
	if len(encoded) == 0 {
		return h, fmt.Errorf("the file is empty")
	}
	if len(encoded) > maxBytes {
		return h, fmt.Errorf("its %d bytes are more than the limit of %d", len(encoded), maxBytes)
	}
	switch Format(encoded) {
	case "BMP":
		if err := plainBMP(encoded); err != nil {
			return h, err
		}
	case "WebP":
		if animatedWebP(encoded) && !ReadTraits(encoded).Transparent {
			return h, errors.New("is an animated WebP without transparency, which is not supported: convert it to PNG")
		}
	}
	if h, err = ReadHeader(encoded); err != nil {
		return h, err
	}
	// TensorFlow takes all CMYK for inverted, as Adobe writes it, even without Adobe's marker.
	if h.components == 4 && !bytes.Contains(encoded, []byte("\x00\x0eAdobe")) {
		return h, errors.New("is a CMYK JPEG without Adobe's marker, which is not supported: convert it to RGB")
	}
	if h.Pixels > maxPixels {
		frames := ""
		if h.Pixels > int64(h.Width)*int64(h.Height) {
			frames = fmt.Sprintf(" (%d in all frames)", h.Pixels)
		}
		return h, fmt.Errorf("its %d x %d pixels%s are more than the limit of %d", h.Width, h.Height, frames, maxPixels)
	}
	if h.scans {
		scans := int64(bytes.Count(encoded, []byte("\xff\xda")))
		if scans > maxScans || scans*h.Pixels > scansOfLargest*maxPixels {
			return h, fmt.Errorf("its %d scans of %d x %d pixels take too long: the limit is %d, or %d of the largest image", scans, h.Width, h.Height, maxScans, scansOfLargest)
		}
	}
	return h, nil
}

// short is the error of an image that is cut off early.
const short = "it ends before its size"

// jpeg follows the segments to the frame header, and on to the first scan. Like
// libjpeg, it skips stray bytes between them.
func (h *Header) jpeg(b []byte) error {
	framed := false
	for at := 2; at+1 < len(b); {
		marker := b[at+1]
		if b[at] != 0xff || marker == 0xff || marker == 0 {
			at++ // a stray, fill or stuffed byte
			continue
		}
		at += 2
		switch {
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7: // TEM, RSTn: no length
			continue
		case framed && marker == 0xda && at+2 < len(b): // SOS
			h.scans = h.scans || int(b[at+2]) < h.components
			return nil
		case framed && (marker == 0xd8 || marker == 0xd9):
			return nil
		case marker == 0xd8 || marker == 0xd9 || marker == 0xda: // SOI, EOI, SOS
			return errors.New("it has no frame header")
		}
		if at+7 > len(b) {
			break
		}
		length := int(binary.BigEndian.Uint16(b[at:]))
		if !framed && marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc { // SOFn, not DHT, JPG, DAC
			framed, h.scans = true, marker&3 == 2 // progressive
			h.Height, h.Width = int(binary.BigEndian.Uint16(b[at+3:])), int(binary.BigEndian.Uint16(b[at+5:]))
			if at+7 < len(b) {
				h.components = int(b[at+7])
			}
		}
		if length < 2 {
			if framed {
				return nil // decoding reports it
			}
			return fmt.Errorf("a segment of length %d", length)
		}
		at += length
	}
	if framed {
		return nil
	}
	return errors.New(short)
}

func (h *Header) png(b []byte) error {
	if len(b) < 24 {
		return errors.New(short)
	}
	if string(b[12:16]) != "IHDR" {
		return errors.New("its first chunk is not IHDR")
	}
	width, height := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if width > math.MaxInt32 || height > math.MaxInt32 { // the format's limit; their product would overflow
		return fmt.Errorf("its size is %d x %d", width, height)
	}
	h.Width, h.Height = int(width), int(height)
	return nil
}

// bmp reads the same fields as TensorFlow's kernel, which knows one kind of
// header. A negative height means that rows start at the top.
func (h *Header) bmp(b []byte) error {
	if len(b) < 26 {
		return errors.New(short)
	}
	h.Width, h.Height = int(int32(binary.LittleEndian.Uint32(b[18:]))), int(int32(binary.LittleEndian.Uint32(b[22:])))
	if h.Height < 0 {
		h.Height = -h.Height
	}
	if h.Width < 0 {
		return fmt.Errorf("its width is %d", h.Width)
	}
	return nil
}

// plainBMP refuses BMPs that TensorFlow's kernel decodes wrongly in silence, or
// with an unclear error: it knows colours of 24 and 32 bits, and takes the indexes
// of a palette for levels of grey.
func plainBMP(b []byte) error {
	if len(b) < 54 {
		return nil // decoding reports that it is cut off
	}
	bits, compression := binary.LittleEndian.Uint16(b[28:]), binary.LittleEndian.Uint32(b[30:])
	kind := ""
	switch header := binary.LittleEndian.Uint32(b[14:]); {
	case header < 40:
		kind = "an OS/2 header"
	case header > 124:
		kind = fmt.Sprintf("a header of %d bytes", header)
	case bits == 24 && compression == 0, bits == 32 && compression == 0, bits == 32 && compression == 3 && usualMasks(b):
	case bits == 8 && compression == 0 && greyPalette(b, int64(header)):
	case bits <= 8:
		kind = fmt.Sprintf("a palette of %d bits", bits)
	default:
		kind = fmt.Sprintf("%d bits per pixel and compression %d", bits, compression)
	}
	if kind == "" {
		return nil
	}
	return fmt.Errorf("is a BMP with %s, which is not supported: convert it to PNG", kind)
}

// usualMasks reports whether the channels of a 32-bit BMP are blue, green and
// red, in this order.
func usualMasks(b []byte) bool {
	if len(b) < 66 {
		return false
	}
	return binary.LittleEndian.Uint32(b[54:]) == 0xff0000 && binary.LittleEndian.Uint32(b[58:]) == 0xff00 && binary.LittleEndian.Uint32(b[62:]) == 0xff
}

// greyPalette reports whether each index of a palette is its own level of grey.
func greyPalette(b []byte, header int64) bool {
	n := int64(binary.LittleEndian.Uint32(b[46:]))
	if n == 0 {
		n = 256
	}
	at := 14 + header
	if n > 256 || at+4*n > int64(len(b)) {
		return false
	}
	for i := range n {
		if c := b[at+4*i:]; c[0] != byte(i) || c[1] != byte(i) || c[2] != byte(i) {
			return false
		}
	}
	return true
}

func (h *Header) webp(b []byte) error {
	if len(b) < 30 {
		return errors.New(short)
	}
	switch chunk, body := string(b[12:16]), b[20:]; chunk {
	case "VP8 ":
		if string(body[3:6]) != "\x9d\x01\x2a" {
			return errors.New("its frame has no start code")
		}
		h.Width, h.Height = int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff)
	case "VP8L":
		if body[0] != 0x2f {
			return errors.New("its lossless frame has no signature")
		}
		sizes := binary.LittleEndian.Uint32(body[1:])
		h.Width, h.Height = int(sizes&0x3fff)+1, int(sizes>>14&0x3fff)+1
	case "VP8X": // the canvas; libwebp refuses a frame outside it
		h.Width, h.Height = int(binary.LittleEndian.Uint32(body[4:])&0xffffff)+1, int(binary.LittleEndian.Uint32(body[6:])>>8)+1
	default:
		return fmt.Errorf("its first chunk is %q", chunk)
	}
	return nil
}

// gif follows the blocks and sums up the frames, each of which may be larger than
// the screen. If it stops early, so does giflib.
func (h *Header) gif(b []byte) error {
	if len(b) < 13 {
		return errors.New(short)
	}
	h.Width, h.Height = int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:]))
	blocks := 0
	for at := 13 + colours(b[10]); at < len(b); {
		switch b[at] {
		case 0x21: // an extension: a label, then sub-blocks
			for at += 2; at < len(b) && b[at] != 0; blocks++ {
				at += 1 + int(b[at])
			}
			at++
		case 0x2c:
			if at+10 > len(b) {
				return nil
			}
			h.Pixels += int64(binary.LittleEndian.Uint16(b[at+5:])) * int64(binary.LittleEndian.Uint16(b[at+7:]))
			at = subBlocks(b, at+11+colours(b[at+9])) // past the code size
			blocks++
		default:
			return nil
		}
		if blocks > maxGIFBlocks {
			return fmt.Errorf("it has more than %d frames and blocks", maxGIFBlocks)
		}
	}
	return nil
}

// colours returns the length of the colour table that a GIF's flags announce.
func colours(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// subBlocks returns the end of a chain of sub-blocks.
func subBlocks(b []byte, at int) int {
	for at < len(b) && b[at] != 0 {
		at += 1 + int(b[at])
	}
	return at + 1
}
