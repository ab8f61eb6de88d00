package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"math"
	"os"
	"strings"
	"testing"
)

func FuzzReadManifest(f *testing.F) {
	f.Add("path,label\na.jpg,dog\n", false)
	f.Add("\ufeffpath\tlabel\tsplit\tweight\tgroup\r\n\"a\tb\"\tdog\tval\t0.5\tx\r\n", true)
	f.Add("label,path,split\n\"d\"\"og\",../a.jpg,\n\n,,\n", false)
	f.Add("path,label,weight\na,b,1e400\n", false)
	f.Add("sep=;\r\npath;label\r\na.jpg;dog\r\n", false)
	f.Add("path,label\ra.jpg,dog\r", true)
	f.Fuzz(func(t *testing.T, text string, tabs bool) {
		comma := ','
		if tabs {
			comma = '\t'
		}
		m, err := readManifest(strings.NewReader(text), comma, true, Options{Columns: []string{"note"}})
		rows := m.rows
		if err != nil {
			if strings.Contains(err.Error(), "\n") || len(rows) > 0 {
				t.Errorf("%d rows beside error %q", len(rows), err)
			}
			return
		}
		if len(rows) == 0 || len(rows) > max(strings.Count(text, "\n"), strings.Count(text, "\r")) {
			t.Errorf("%d rows", len(rows))
		}
		line := 1
		for _, r := range rows {
			if r.line <= line || r.path == "" || strings.TrimSpace(r.label) != r.label || r.label == "" || !(r.weight >= 0 && r.weight <= math.MaxFloat32) || r.split != rows[0].split {
				t.Errorf("row after line %d: %+v", line, r)
			}
			line = r.line
		}
	})
}

// FuzzReadExamples reads a TFRecord file, compressed or not.
func FuzzReadExamples(f *testing.F) {
	for _, name := range []string{"testdata/imagenet/train-00001-of-00002", "testdata/flowers.gz"} {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, 1<<20)); err != nil || w.Close() != nil {
		f.Fatal(err)
	}
	f.Add(bomb.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		const most = 1 << 16
		r := reader{left: most, names: map[int64]string{}}
		examples, err := r.records(nil, bufio.NewReader(bytes.NewReader(file)), "name", "short")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "name") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		if r.left < 0 {
			t.Errorf("%d bytes were decompressed", most-r.left)
		}
		classes := r.classes()
		for _, e := range examples {
			im := e.item(classes)
			if im.id == "" || im.class == "" || im.weight != 1 {
				t.Errorf("%+v", im)
			}
			if h, ok := im.stored.(held); ok {
				if b, err := h.read(); err != nil || len(b) == 0 {
					t.Errorf("%q, %v", b, err)
				}
			}
		}
	})
}

// FuzzReadExample reads the inside of a record, as no fuzzer hits the checksum.
func FuzzReadExample(f *testing.F) {
	file, err := os.ReadFile("testdata/imagenet/train-00001-of-00002")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file[12:376])
	f.Fuzz(func(t *testing.T, data []byte) {
		e, image, err := readExample(data)
		if err == nil && (len(image) == 0 || e.label < -1 || e.label == -1 && e.text == "") {
			t.Errorf("%+v with an image of %d bytes", e, len(image))
		}
	})
}

// FuzzReadCIFAR has long records: -fuzzminimizetime 1x keeps the fuzzer from
// spending its time on shortening them.
func FuzzReadCIFAR(f *testing.F) {
	for _, name := range []string{"testdata/cifar-10/data_batch_1.bin", "testdata/cifar-100/test.bin"} {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file, byte(1), byte(10))
		f.Add(file, byte(2), byte(100))
	}
	f.Fuzz(func(t *testing.T, file []byte, labels, classes byte) {
		c := cifar{labels: 1 + int(labels%2)}
		got, err := readCIFAR(bytes.NewReader(file), c, int(classes))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "record at byte ") {
				t.Errorf("%v names no offset", err)
			}
			return
		}
		if len(got)*c.record() != len(file) {
			t.Errorf("%d labels in %d bytes", len(got), len(file))
		}
		for _, label := range got {
			if label >= classes {
				t.Errorf("label %d of %d classes", label, classes)
			}
		}
	})
}

func TestDecompressionIsLimited(t *testing.T) {
	file, err := os.ReadFile("testdata/flowers.gz")
	if err != nil {
		t.Fatal(err)
	}
	r := reader{left: 900, names: map[int64]string{}}
	_, err = r.records(nil, bufio.NewReader(bytes.NewReader(file)), "flowers.gz", "flowers.gz")
	if err == nil || !strings.Contains(err.Error(), "the GZIP files hold more than 2 GiB") {
		t.Errorf("%v", err)
	}
}
