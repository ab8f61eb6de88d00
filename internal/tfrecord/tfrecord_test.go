package tfrecord

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

// two is what tf.io.TFRecordWriter writes for "transfer" and an empty record.
func two(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString("0800000000000000ff86240f7472616e73666572eab5a9ec000000000000000029039807d8ea82a2")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// claims is a record with a wrong length and correct checksums.
func claims(length uint64, data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, length)
	out = binary.LittleEndian.AppendUint32(out, masked(out))
	return append(out, Append(nil, data)[headerSize:]...)
}

func TestAppendsWhatTensorFlowWrites(t *testing.T) {
	if got := Append(Append(nil, []byte("transfer")), nil); !bytes.Equal(got, two(t)) {
		t.Errorf("%x, want %x", got, two(t))
	}
}

func TestReadsWhatTensorFlowWrites(t *testing.T) {
	r := bytes.NewReader(two(t))
	first, at, err := Read(r, 0)
	if err != nil || string(first) != "transfer" || at != 24 {
		t.Errorf("%q, next at %d, %v", first, at, err)
	}
	second, end, err := Read(r, at)
	if err != nil || len(second) != 0 || end != int64(len(two(t))) {
		t.Errorf("%q, next at %d, %v", second, end, err)
	}
	if _, _, err := Read(r, end); !errors.Is(err, io.EOF) || err.Error() != "EOF" {
		t.Errorf("at the end: %v", err)
	}
	if !IsHeader(two(t)) || IsHeader(two(t)[:11]) || IsHeader(two(t)[1:]) {
		t.Error("IsHeader does not tell a header from other bytes")
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	for i := range 24 * 8 {
		file := two(t)[:24]
		file[i/8] ^= 1 << (i % 8)
		_, _, err := Read(bytes.NewReader(file), 100)
		if err == nil || !strings.HasPrefix(err.Error(), "record at byte 100: ") {
			t.Errorf("bit %d: %v", i, err)
		}
	}
}

func TestEveryTruncationIsSeen(t *testing.T) {
	for n := 1; n < 24; n++ {
		_, _, err := Read(bytes.NewReader(two(t)[:n]), 0)
		if err == nil || errors.Is(err, io.EOF) || err.Error() != "record at byte 0: the file ends within it" {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestErrorsOfTheFileItselfAreKept(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, n := range []int{0, 5, 15, 21} {
		r := io.MultiReader(bytes.NewReader(two(t)[:n]), failing{broken})
		if _, _, err := Read(r, 0); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

type failing struct{ error }

func (e failing) Read([]byte) (int, error) { return 0, e.error }

func TestALengthIsNotBelieved(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, length := range []uint64{1 << 30, 1<<31 - 1, 1 << 31, 1 << 63, 1<<64 - 1} {
		if data, _, err := Read(bytes.NewReader(claims(length, []byte("little"))), 0); err == nil {
			t.Errorf("length %d: %q", length, data)
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(two(f))
	f.Add(claims(1<<40, []byte("little")))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r := bytes.NewReader(file)
		for at := int64(0); ; {
			data, next, err := Read(r, at)
			if err != nil {
				return
			}
			if next <= at || !bytes.Equal(file[at:next], Append(nil, data)) {
				t.Fatalf("%q is not what lies from %d to %d", data, at, next)
			}
			at = next
		}
	})
}
