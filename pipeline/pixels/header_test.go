package pixels

import (
	"bytes"
	"encoding/binary"
	"fmt"
	stdimage "image"
	"image/color"
	"image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tftl/pipeline"
)

// fixtures returns images with the size that Pillow gave them.
func fixtures(t testing.TB) map[string][2]int {
	t.Helper()
	sizes := map[string][2]int{}
	for _, folder := range []string{"testdata/headers", "../../build/testdata/formats", "../../build/testdata/pixels"} {
		paths, err := filepath.Glob(folder + "/*.*")
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %d files (testdata/make.py writes them)", folder, err, len(paths))
		}
		for _, path := range paths {
			switch filepath.Ext(path) {
			case ".jpg", ".png", ".bmp", ".gif", ".webp":
			default:
				continue
			}
			size := [2]int{47, 33}
			name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
			switch {
			case name == "one-pixel":
				size = [2]int{1, 1}
			case strings.HasSuffix(folder, "formats"):
				size = [2]int{48, 40}
			case strings.HasSuffix(folder, "headers"):
				if _, err := fmt.Sscanf(name[strings.LastIndex(name, "-")+1:], "%dx%d", &size[0], &size[1]); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
			sizes[path] = size
		}
	}
	return sizes
}

func TestHeaderHasTheSize(t *testing.T) {
	formats := map[string]int{}
	for path, size := range fixtures(t) {
		encoded, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ReadHeader(encoded)
		if err != nil || [2]int{h.Width, h.Height} != size {
			t.Errorf("%s: %d x %d, %v; want %v", path, h.Width, h.Height, err, size)
		}
		formats[h.Format]++
		for n := range min(len(encoded), 64) { // cut short anywhere, the result is an error or still right
			if h, err := ReadHeader(encoded[:n]); err == nil && [2]int{h.Width, h.Height} != size {
				t.Errorf("%s cut to %d bytes: %+v", path, n, h)
			}
		}
	}
	if len(formats) != 5 {
		t.Errorf("formats seen: %v", formats)
	}
}

// bomb returns an image that has only a header.
func bomb(format string, width, height int) []byte {
	big, little := binary.BigEndian, binary.LittleEndian
	w, h := uint32(width), uint32(height)
	switch format {
	case "PNG":
		b := append([]byte("\x89PNG\r\n\x1a\n"), "\x00\x00\x00\x0dIHDR"...)
		return append(big.AppendUint32(big.AppendUint32(b, w), h), 8, 2, 0, 0, 0, 0, 0, 0, 0)
	case "JPEG":
		b := []byte("\xff\xd8\xff\xe0\x00\x04ab\xff\xc2\x00\x11\x08")
		return append(big.AppendUint16(big.AppendUint16(b, uint16(h)), uint16(w)), 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0)
	case "BMP":
		b := append([]byte("BM"), make([]byte, 16)...)
		return append(little.AppendUint32(little.AppendUint32(b, w), h), 1, 0, 24, 0)
	case "GIF":
		b := little.AppendUint16(little.AppendUint16([]byte("GIF89a"), uint16(w)), uint16(h))
		return append(b, 0, 0, 0)
	case "WebP":
		b := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"), make([]byte, 4)...)
		b = little.AppendUint32(b, w-1)[:len(b)+3]
		return little.AppendUint32(b, h-1)[:len(b)+3]
	}
	return nil
}

func TestTooManyPixelsAreRefusedUndecoded(t *testing.T) {
	decoder, err := NewDecoder(Options{Height: 8, Width: 8, Interpolation: "bilinear"})
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	for _, format := range []string{"PNG", "JPEG", "BMP", "GIF", "WebP"} {
		_, err := decoder.Decode(t.Context(), [][]byte{bomb(format, 60001, 50002)}, []pipeline.Sample{{ID: "a/b.img"}})
		want := "image a/b.img: its 60001 x 50002 pixels are more than the limit of 178956970"
		if err == nil || err.Error() != want || pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestLimits(t *testing.T) {
	// 13377² is the largest square that Pillow opens: twice its Image.MAX_IMAGE_PIXELS.
	if _, err := admit(bomb("PNG", 13377, 13377)); err != nil {
		t.Error(err)
	}
	if _, err := admit(bomb("PNG", 13378, 13378)); err == nil {
		t.Error("13378 x 13378 pixels were admitted")
	}
	for _, size := range [][2]int{{1 << 31, 2}, {1<<32 - 1, 1<<32 - 1}, {1<<31 - 1, 1<<31 - 1}} {
		if _, err := admit(bomb("PNG", size[0], size[1])); err == nil {
			t.Errorf("%v pixels were admitted", size)
		}
	}
	large := make([]byte, maxBytes+1)
	copy(large, bomb("PNG", 3, 3))
	if _, err := admit(large); err == nil || err.Error() != "its 268435457 bytes are more than the limit of 268435456" {
		t.Errorf("%v", err)
	}
	if _, err := admit(large[:maxBytes]); err != nil {
		t.Error(err)
	}
}

// All frames of a GIF are decoded, and they may be larger than its screen.
func TestFramesOfAGIFCount(t *testing.T) {
	palette := color.Palette{color.Black, color.White}
	var animation gif.GIF
	for range 5 {
		animation.Image = append(animation.Image, stdimage.NewPaletted(stdimage.Rect(0, 0, 300, 200), palette))
		animation.Delay = append(animation.Delay, 1)
	}
	var file bytes.Buffer
	if err := gif.EncodeAll(&file, &animation); err != nil {
		t.Fatal(err)
	}
	if h, err := ReadHeader(file.Bytes()); err != nil || h.Pixels != 5*300*200 {
		t.Errorf("%+v, %v", h, err)
	}
	frame := []byte{0x2c, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 2, 0} // 65535 x 65535
	_, err := admit(append(bomb("GIF", 4, 4), frame...))
	if want := "its 4 x 4 pixels (4294836225 in all frames) are more than the limit of 178956970"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// If the standard library finds a size, so does ReadHeader, and it is the same. For
// anything else, ReadHeader returns an error and does not panic.
func FuzzReadHeader(f *testing.F) {
	for path := range fixtures(f) {
		encoded, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	for _, format := range []string{"PNG", "JPEG", "BMP", "GIF", "WebP"} {
		f.Add(bomb(format, 60000, 50000))
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		h, err := ReadHeader(encoded)
		if err == nil && (h.Width < 0 || h.Height < 0 || h.Pixels < int64(h.Width)*int64(h.Height)) {
			t.Errorf("%+v", h)
		}
		config, _, stdErr := stdimage.DecodeConfig(bytes.NewReader(encoded))
		if stdErr == nil && h.Format != "" && (err != nil || config.Width != h.Width || config.Height != h.Height) {
			t.Errorf("%d x %d, %v; the standard library has %d x %d", h.Width, h.Height, err, config.Width, config.Height)
		}
	})
}

func BenchmarkReadHeader(b *testing.B) {
	encoded, err := os.ReadFile("testdata/headers/progressive-19x1000.jpg")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ReadHeader(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
