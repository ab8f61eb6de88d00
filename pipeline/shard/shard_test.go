package shard_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/shard"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]shard.Shard{"1/1": {1, 1}, "3/10": {3, 10}, "1024/1024": {1024, 1024}} {
		if got, err := shard.Parse(text); got != want || err != nil || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "3", "/", "0/4", "5/4", "1/0", "-1/4", "1/-4", "1/1025", "1/2/3", " 1/2", "1.5/2", "1/99999999999999999999"} {
		_, err := shard.Parse(text)
		if pipeline.KindOf(err) != pipeline.BadUsage || !strings.Contains(err.Error(), "shard "+fmt.Sprintf("%q", text)+": must be I/N") {
			t.Errorf("%q: %v", text, err)
		}
		if counted := text == "0/4"; counted != !pipeline.HintOf(err).Empty() {
			t.Errorf("%q: hint %q", text, pipeline.HintOf(err))
		}
	}
}

func spell(o pipeline.Option) string { return "-" + o.String() }

// answersOf makes answers for n images of three classes, some of them bad.
func answersOf(n int) []shard.Answer {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	all := make([]shard.Answer, n)
	for i := range all {
		a := &all[i]
		a.Sample = pipeline.Sample{ID: fmt.Sprintf("a b/\u202e%d\xff.jpg", i), Label: i%4 - 1, Weight: 1}
		switch random.IntN(4) {
		case 0:
			err := pipeline.Errorf(pipeline.BadData, "image %s: is no image", a.Sample.ID)
			a.Err = pipeline.WithHint(err, "try %s", pipeline.Option("layout"))
			continue
		case 1: // probabilities alone
			a.Probabilities = []float32{random.Float32(), math.SmallestNonzeroFloat32, 1}
		case 2: // the softmax, computed by others
			a.Logits, a.Probabilities = []float32{0.1, -3e-9, 2}, []float32{0.1, 0.2, 0.7}
		default:
			a.Logits = []float32{random.Float32(), float32(math.Copysign(0, -1)), -math.MaxFloat32}
			a.Probabilities = pipeline.Softmax(a.Logits)
		}
		a.Values = []string{"x\x00y", "\xfe", ""}
	}
	return all
}

// write writes the files of all shards, as tasks would that know only the list.
func write(t testing.TB, lists [][]shard.Answer, count, block int) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for number := range count {
		s := shard.Shard{Number: number + 1, Count: count}
		var b bytes.Buffer
		h := shard.Header{Shard: s, Block: block, Classes: []string{"a", "b", "c"}, Facts: map[string]string{"command": "x"}}
		w, err := shard.NewWriter(&b, h, spell)
		if err != nil {
			t.Fatal(err)
		}
		for k, all := range lists {
			var list shard.List
			for i, a := range all {
				list.Add(a.Sample.ID, a.Sample.Label)
				if s.Has(i, block) {
					if err := w.Add([]shard.Answer{a}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.End(&list, k == len(lists)-1); err != nil {
				t.Fatal(err)
			}
		}
		paths = append(paths, filepath.Join(dir, fmt.Sprint(number)))
		if err := os.WriteFile(paths[number], b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func TestAnswersComeBackBitForBitInTheirOrder(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 100} {
		for _, count := range []int{1, 2, 3, 20} {
			for _, block := range []int{1, 4, 32} {
				lists := [][]shard.Answer{answersOf(n), answersOf(2*n + 1)}
				paths := write(t, lists, count, block)
				slices.Reverse(paths)
				set, err := shard.Open(paths)
				if err != nil {
					t.Fatalf("%d images, %d shards, blocks of %d: %v", n, count, block, err)
				}
				for k := range lists {
					got, err := pipeline.Together(set.Answers(k))
					if err != nil || len(got) != len(lists[k]) || set.Len(k) != len(got) {
						t.Fatalf("%d images, %d shards, blocks of %d: %d answers, %v", n, count, block, len(got), err)
					}
					for i, want := range lists[k] {
						if !same(got[i], want) {
							t.Fatalf("%+v, want %+v", got[i], want)
						}
					}
				}
			}
		}
	}
}

func same(a, b shard.Answer) bool {
	if (a.Err == nil) != (b.Err == nil) {
		return false
	}
	if a.Err != nil {
		return a.Sample == b.Sample && a.Reason() == b.Reason() && pipeline.KindOf(a.Err) == pipeline.KindOf(b.Err) &&
			pipeline.HintOf(a.Err).String() == pipeline.HintOf(b.Err).Text(spell)
	}
	for i, v := range a.Logits { // 0 and -0 are equal
		if math.Signbit(float64(v)) != math.Signbit(float64(b.Logits[i])) {
			return false
		}
	}
	return reflect.DeepEqual(a, b)
}

// Whatever differs between shards is named, with both files.
func TestShardsThatDoNotBelongTogether(t *testing.T) {
	plain := func() shard.Header {
		return shard.Header{
			Block: 2, Classes: []string{"a", "b", "c"}, Details: []byte("{}"),
			Facts: map[string]string{"version of tftl": "1.0"}, Options: map[string]string{"precision": "float32"},
		}
	}
	for want, change := range map[string]func(h *shard.Header){
		"": func(*shard.Header) {},
		"2: the version of tftl is 1.1, but in 1 it is 1.0":                               func(h *shard.Header) { h.Facts["version of tftl"] = "1.1" },
		"2: the version of tftl is not set, but in 1 it is 1.0":                           func(h *shard.Header) { h.Facts = nil },
		"2: precision is bfloat16, but in 1 it is float32":                                func(h *shard.Header) { h.Options["precision"] = "bfloat16" },
		"2: rescale is 2, but in 1 it is not set":                                         func(h *shard.Header) { h.Options["rescale"] = "2" },
		"2: does not belong to 1: its classes, decision or skipped images are others":     func(h *shard.Header) { h.Classes[1] = "d" },
		"2: does not belong to 1: its classes, decision or skipped images are others\x00": func(h *shard.Header) { h.Details = []byte(`{"x":1}`) },
	} {
		t.Chdir(t.TempDir())
		for number := 1; number <= 2; number++ {
			h := plain()
			if number == 2 {
				change(&h)
			}
			h.Shard = shard.Shard{Number: number, Count: 2}
			var b bytes.Buffer
			w, err := shard.NewWriter(&b, h, spell)
			if err == nil {
				err = w.End(new(shard.List), true)
			}
			if err == nil {
				err = os.WriteFile(fmt.Sprint(number), b.Bytes(), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := shard.Open([]string{"1", "2"})
		if want == "" && err == nil {
			continue
		}
		if err == nil || err.Error() != strings.TrimSuffix(want, "\x00") || pipeline.KindOf(err) != pipeline.BadData {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestAnAnswerThatIsNoNumberIsNotWritten(t *testing.T) {
	w, err := shard.NewWriter(new(bytes.Buffer), shard.Header{Shard: shard.Shard{Number: 1, Count: 1}}, spell)
	if err != nil {
		t.Fatal(err)
	}
	var a shard.Answer
	a.Sample.ID, a.Logits = "a.jpg", []float32{float32(math.NaN())}
	if err := w.Add([]shard.Answer{a}); pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), "a.jpg") {
		t.Error(err)
	}
}

// A stranger's file is read, or refused with an error that names it. It has the digest
// that it should have, because a stranger can compute that too.
func FuzzOpen(f *testing.F) {
	for _, block := range []int{1, 2} {
		for _, path := range write(f, [][]shard.Answer{answersOf(3), answersOf(5)}, 1, block) {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			lines := bytes.SplitAfter(data, []byte("\n"))
			f.Add(lines[0], bytes.Join(lines[1:4], nil), true)
			f.Add(lines[0], bytes.Join(lines[1:], nil), false)
		}
	}
	f.Fuzz(func(t *testing.T, header, answers []byte, signed bool) {
		data := slices.Concat(header, answers)
		if signed {
			data = fmt.Appendf(data, `{"end":%d,"last":true,"sha256":"%x"}`+"\n", bytes.Count(answers, []byte("\n")), sha256.Sum256(data))
		}
		path := filepath.Join(t.TempDir(), "stranger")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := shard.Open([]string{path})
		for list := 0; err == nil && list < set.Lists(); list++ {
			for piece, wrong := range set.Outcomes(list, set.Block) {
				if err = wrong; err == nil && len(piece) == 0 {
					t.Error("an empty piece")
				}
			}
		}
		if err != nil && !strings.Contains(err.Error(), "stranger") && !strings.Contains(err.Error(), "missing") {
			t.Errorf("%q", err)
		}
	})
}
