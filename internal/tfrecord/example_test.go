package tfrecord

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
)

// letters is a tf.train.Example by TensorFlow: b of "x" and "", f of 0.5, i of
// 3, -1 and 300, and none, which has nothing.
func letters(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString("0a3f0a0c0a016212070a050a01780a000a0d0a0166120812060a040000003f0a160a016912111a0f0a0d03ffffffffffffffffff01ac020a080a046e6f6e651200")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParsesWhatTensorFlowWrites(t *testing.T) {
	e, err := ParseExample(letters(t))
	if err != nil || len(e) != 4 {
		t.Fatalf("%d features, %v", len(e), err)
	}
	text, err := e["b"].Bytes()
	if err != nil || len(text) != 2 || string(text[0]) != "x" || len(text[1]) != 0 {
		t.Errorf("b is %q, %v", text, err)
	}
	ints, err := e["i"].Ints()
	if err != nil || !slices.Equal(ints, []int64{3, -1, 300}) {
		t.Errorf("i is %v, %v", ints, err)
	}
	for _, name := range []string{"f", "i", "none", "missing"} {
		if v, err := e[name].Bytes(); err != nil || len(v) > 0 {
			t.Errorf("%s has bytes %q, %v", name, v, err)
		}
	}
	for _, name := range []string{"f", "b", "none", "missing"} {
		if v, err := e[name].Ints(); err != nil || len(v) > 0 {
			t.Errorf("%s has integers %v, %v", name, v, err)
		}
	}
}

// An int64 list may be unpacked: tf.train.Int64List.FromString gives 3, 300 for
// these bytes.
func TestUnpackedIntegers(t *testing.T) {
	ints, err := Feature("\x1a\x05\x08\x03\x08\xac\x02").Ints()
	if err != nil || !slices.Equal(ints, []int64{3, 300}) {
		t.Errorf("%v, %v", ints, err)
	}
}

func TestDamagedExamplesAreErrors(t *testing.T) {
	for n := 1; n < len(letters(t)); n++ {
		if e, err := ParseExample(letters(t)[:n]); err == nil && len(e) == 4 {
			t.Errorf("cut to %d bytes it is whole", n)
		}
	}
	for _, text := range []string{
		"\x1a\x05\x08\x03", "\x1a\x02\x0a\xff", "\x0a\x01\x0a", "\x1a\x03\x09", "\x1a\x09\x09\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		damaged := Feature(text)
		ints, err := damaged.Ints()
		if values, err2 := damaged.Bytes(); err == nil && err2 == nil {
			t.Errorf("%q is %v and %q", text, ints, values)
		}
	}
}

func FuzzParseExample(f *testing.F) {
	f.Add(letters(f))
	f.Add([]byte("\x0a\x00"))
	f.Add(bytes.Repeat([]byte("\x0b"), 100)) // nested groups
	f.Fuzz(func(t *testing.T, record []byte) {
		e, err := ParseExample(record)
		if err != nil {
			return
		}
		for _, feature := range e {
			values, _ := feature.Bytes()
			ints, _ := feature.Ints()
			if len(values)+len(ints) > len(record) {
				t.Fatalf("%d values in %d bytes", len(values)+len(ints), len(record))
			}
		}
	})
}
