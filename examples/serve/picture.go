package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
)

// picture is a decoded image. It is asked for the pixels that the resizing needs, so
// there is no second copy in another form.
type picture struct {
	width, height int
	at            func(x, y int) (r, g, b uint8)
}

// mostScans is how often a progressive JPEG may go over its pixels. Files from cameras
// and programs do so about ten times.
const mostScans = 100

// refusal is an error that has an HTTP status.
type refusal struct {
	status int
	reason string
}

func (r refusal) Error() string { return r.reason }

func refuse(status int, format string, arguments ...any) error {
	return refusal{status, fmt.Sprintf(format, arguments...)}
}

// measure reads an image's size from its header, before anything is decoded.
func measure(encoded []byte) (config image.Config, err error) {
	has := func(prefix string) bool { return bytes.HasPrefix(encoded, []byte(prefix)) }
	switch {
	case has("\xff\xd8\xff"):
		if n := bytes.Count(encoded, []byte("\xff\xda")); n > mostScans {
			return config, refuse(http.StatusBadRequest, "the JPEG has %d scans: the limit is %d", n, mostScans)
		}
		config, err = jpeg.DecodeConfig(bytes.NewReader(encoded))
	case has("\x89PNG\r\n\x1a\n"):
		config, err = png.DecodeConfig(bytes.NewReader(encoded))
	case has("GIF8"), has("BM"), has("RIFF"), has("II*\x00"), has("MM\x00*"), len(encoded) >= 12 && string(encoded[4:8]) == "ftyp":
		return config, refuse(http.StatusUnsupportedMediaType, "this format is not supported: send a JPEG or PNG")
	case len(encoded) == 0:
		return config, refuse(http.StatusBadRequest, "the body is empty: send a JPEG or PNG")
	default:
		return config, refuse(http.StatusBadRequest, "the body is not an image: send a JPEG or PNG")
	}
	if err == nil && (config.Width < 1 || config.Height < 1) {
		err = errors.New("it has no pixels")
	}
	return config, undecodable(err)
}

// decode decodes an image whose size was found to be acceptable.
func decode(encoded []byte) (p picture, err error) {
	defer func() { // a fault in a decoder is no reason for the process to end
		if fault := recover(); fault != nil {
			err = refuse(http.StatusBadRequest, "the image cannot be decoded: %v", fault)
		}
	}()
	decoder := png.Decode
	if encoded[0] == 0xff {
		decoder = jpeg.Decode
	}
	decoded, err := decoder(bytes.NewReader(encoded))
	if err != nil {
		return p, undecodable(err)
	}
	size := decoded.Bounds().Size()
	return picture{size.X, size.Y, reader(decoded)}, nil
}

func undecodable(err error) error {
	var ofJPEG jpeg.UnsupportedError
	var ofPNG png.UnsupportedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ofJPEG) || errors.As(err, &ofPNG):
		return refuse(http.StatusUnsupportedMediaType, "this kind of image is not supported: %v", err)
	}
	return refuse(http.StatusBadRequest, "the image is damaged: %v", err)
}

// reader returns the function that reads a pixel. As in tftl, transparency is dropped
// without blending, and of 16 bits the upper 8 count.
func reader(decoded image.Image) func(x, y int) (r, g, b uint8) {
	switch m := decoded.(type) {
	case *image.YCbCr:
		return fancy(m)
	case *image.Gray:
		return func(x, y int) (r, g, b uint8) {
			v := m.Pix[y*m.Stride+x]
			return v, v, v
		}
	case *image.RGBA: // without transparency, or it would be an NRGBA
		return packed(m.Pix, m.Stride, 1)
	case *image.NRGBA:
		return packed(m.Pix, m.Stride, 1)
	case *image.NRGBA64:
		return packed(m.Pix, m.Stride, 2)
	case *image.CMYK:
		return func(x, y int) (r, g, b uint8) {
			p := m.Pix[y*m.Stride+4*x:]
			k := 255 - int(p[3])
			return uint8((255 - int(p[0])) * k / 255), uint8((255 - int(p[1])) * k / 255), uint8((255 - int(p[2])) * k / 255)
		}
	}
	return func(x, y int) (r, g, b uint8) {
		c := color.NRGBAModel.Convert(decoded.At(x, y)).(color.NRGBA)
		return c.R, c.G, c.B
	}
}

// packed reads pixels of four samples, each of so many bytes, the upper one first.
func packed(pix []uint8, stride, size int) func(x, y int) (r, g, b uint8) {
	return func(x, y int) (r, g, b uint8) {
		p := pix[y*stride+4*size*x:]
		return p[0], p[size], p[2*size]
	}
}
