package dataset_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"tftl/internal/tfrecord"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// features are those of one example: each an int, a string, or several of one.
type features map[string]any

// recordFile is a TFRecord file of examples.
func recordFile(examples ...features) []byte {
	var out []byte
	message := func(number protowire.Number, body []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), body)
	}
	for _, e := range examples {
		var all []byte
		for name, value := range e {
			var feature []byte
			switch value := value.(type) {
			case int:
				feature = message(3, message(1, protowire.AppendVarint(nil, uint64(value))))
			case []int:
				for _, v := range value {
					feature = append(feature, message(3, message(1, protowire.AppendVarint(nil, uint64(v))))...)
				}
			case string:
				feature = message(1, message(1, []byte(value)))
			case []string:
				for _, v := range value {
					feature = append(feature, message(1, message(1, []byte(v)))...)
				}
			}
			all = append(all, message(1, append(message(1, []byte(name)), message(2, feature)...))...)
		}
		out = tfrecord.Append(out, message(1, all))
	}
	return out
}

// labelled is an example of a label.
func labelled(label int, text string) features {
	f := features{"image/encoded": fmt.Sprintf("image of %d", label), "image/class/label": label}
	if text != "" {
		f["image/class/text"] = text
	}
	return f
}

func save(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	write(t, path, string(content))
	return path
}

func TestACorruptRecordIsNamedByItsOffset(t *testing.T) {
	list := expected(t).Imagenet
	shard, err := os.ReadFile("testdata/imagenet/train-00000-of-00002")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range list[:9] {
		for at, what := range map[int64]string{f.Offset: "checksum of its length", f.Offset + 9: "checksum of its length", f.Offset + 30: "checksum of its data"} {
			damaged := bytes.Clone(shard)
			damaged[at] ^= 0x10
			path := save(t, t.TempDir(), "train.tfrecord", damaged)
			_, err := dataset.OpenLabelled(path, dataset.Options{})
			checkError(t, err, pipeline.BadData, fmt.Sprintf("%s: record at byte %d: the %s is wrong", path, f.Offset, what), "")
		}
		cut := shard[:f.Offset+5]
		path := save(t, t.TempDir(), "train.tfrecord", cut)
		_, err := dataset.OpenLabelled(path, dataset.Options{})
		checkError(t, err, pipeline.BadData, fmt.Sprintf("record at byte %d: the file ends within it", list[i].Offset), "")
	}
}

func TestAFileThatChangesLaterIsNamedToo(t *testing.T) {
	shard, err := os.ReadFile("testdata/imagenet/train-00000-of-00002")
	if err != nil {
		t.Fatal(err)
	}
	path := save(t, t.TempDir(), "a.tfrecord", shard)
	s, err := dataset.OpenLabelled(path, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	second := expected(t).Imagenet[1].Offset
	for _, change := range []struct {
		content []byte
		message string
	}{
		{append(bytes.Clone(shard[:second+40]), make([]byte, 9999)...), "the checksum of its data is wrong"},
		{shard[:second+40], "the file ends within it"},
		{shard[:second], "the file ends before it"},
	} {
		save(t, filepath.Dir(path), "a.tfrecord", change.content)
		if b, err := s.Test.Bytes(0); err != nil || len(b) == 0 {
			t.Errorf("the image before it: %v", err)
		}
		_, err = s.Test.Bytes(1)
		checkError(t, err, pipeline.BadData, fmt.Sprintf("%s: record at byte %d: %s", path, second, change.message), "")
	}
}

func TestWhatAnExampleMustHave(t *testing.T) {
	good := labelled(1, "a")
	without := func(name string) features { f := labelled(1, "a"); delete(f, name); return f }
	with := func(name string, value any) features { f := labelled(1, "a"); f[name] = value; return f }
	offset := len(recordFile(good))
	for name, c := range map[string]struct {
		example features
		message string
	}{
		"no image":          {without("image/encoded"), "has no image/encoded"},
		"an empty image":    {with("image/encoded", ""), "has no image/encoded"},
		"two images":        {with("image/encoded", []string{"x", "y"}), "image/encoded has 2 values, not one"},
		"no class":          {features{"image/encoded": "x"}, "has neither image/class/label nor image/class/text"},
		"two labels":        {with("image/class/label", []int{1, 2}), "image/class/label has 2 values, not one"},
		"a label below 0":   {with("image/class/label", -1), "image/class/label is -1"},
		"two texts":         {with("image/class/text", []string{"a", "b"}), "image/class/text has 2 values"},
		"another text":      {labelled(1, "b"), `label 1 is "b" here but was "a" before`},
		"text of two lines": {labelled(2, "a\nb"), "has a line break"},
		"text not UTF-8":    {labelled(2, "caf\xe9"), `class "caf\xe9" is not UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			path := save(t, t.TempDir(), "x.tfrecord", recordFile(good, c.example))
			_, err := dataset.OpenLabelled(path, dataset.Options{})
			hint := ""
			if name == "text not UTF-8" {
				hint = "write the class names as UTF-8, in the records"
			}
			checkError(t, err, pipeline.BadData, c.message, hint)
			if !strings.HasPrefix(name, "text") && !strings.Contains(err.Error(), fmt.Sprintf("%s: record at byte %d: ", path, offset)) {
				t.Errorf("%v does not name byte %d", err, offset)
			}
		})
	}
	path := save(t, t.TempDir(), "x.tfrecord", nil)
	_, err := dataset.OpenLabelled(path, dataset.Options{})
	checkError(t, err, pipeline.BadData, path+" has no images", "")
}

func TestFilesNamedAfterParts(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"train-00000-of-00003", "train-00002-of-00003", "flowers_validation.tfrecord", "x-test.tfrecords", "notes.txt"} {
		save(t, dir, name, recordFile(labelled(i%2, ""), labelled((i+1)%2, "")))
	}
	s := open(t, dir, dataset.Options{})
	wantIDs(t, "train", s.Train, "train-00000-of-00003#000000", "train-00000-of-00003#000001", "train-00002-of-00003#000000", "train-00002-of-00003#000001")
	wantIDs(t, "validation", s.Validation, "flowers_validation.tfrecord#000000", "flowers_validation.tfrecord#000001")
	wantIDs(t, "test", s.Test, "x-test.tfrecords#000000", "x-test.tfrecords#000001")
	if len(warnings(s)) != 1 || !strings.HasSuffix(warnings(s)[0], "train: only 2 of 3 files are there") {
		t.Errorf("warnings %q", warnings(s))
	}
	save(t, dir, "more.tfrecord", recordFile(labelled(1, "")))
	_, err := dataset.Open(dir, dataset.Options{})
	checkError(t, err, pipeline.BadData, `there are other files: "more.tfrecord"`, "train-*")
	_, err = dataset.Open(filepath.Join(dir, "nothing-*"), dataset.Options{})
	checkError(t, err, pipeline.BadData, "nothing-* matches no file", "")
	save(t, dir, "notes.txt", []byte("a text that is longer than the head of a record"))
	_, err = dataset.Open(filepath.Join(dir, "*"), dataset.Options{})
	checkError(t, err, pipeline.BadData, "notes.txt is not a TFRecord file", "")
}

// What a folder of records has besides is counted, and named if the folder may
// be meant for another kind.
func TestFilesNextToRecordsAreCounted(t *testing.T) {
	cifar := map[string]string{"batches.meta.txt": "cat\ndog\n", "data_batch_1.bin": "\x01" + strings.Repeat("\x00", 3072)}
	for name, files := range map[string]map[string]string{
		"TFRecord": {"a.tfrecord": string(recordFile(labelled(1, "")))},
		"CIFAR":    cifar,
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, "info.json", "readme.html", ".hidden", "photo.jpg", "cats/1.jpg")
			for file, content := range files {
				save(t, dir, file, []byte(content))
			}
			s, err := dataset.OpenLabelled(dir, dataset.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Ignored != 3 || s.NoImages.String() != "1 .html, 1 .json" {
				t.Errorf("ignored %d, %v", s.Ignored, s.NoImages)
			}
			if w := warnings(s); len(w) != 1 || !strings.HasSuffix(w[0], `images and folders next to the data files are left out: "cats", "photo.jpg"`) {
				t.Errorf("warnings %q", w)
			}
		})
	}
}

// The contents decide if the name says nothing.
func TestTFRecordOfAnyName(t *testing.T) {
	dir := t.TempDir()
	data := recordFile(labelled(5, "rose"), labelled(5, ""), labelled(9, ""))
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(data); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for _, path := range []string{save(t, dir, "flowers", data), save(t, dir, "flowers.zipped", zipped.Bytes())} {
		s, err := dataset.OpenLabelled(path, dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := samples(s.Test); len(got) != 3 || got[0].Label != 1 || got[1].Label != 1 || got[2].Label != 0 || s.Classes[0] != "9" || s.Classes[1] != "rose" {
			t.Errorf("%+v of %q", got, s.Classes)
		}
	}
	damaged := zipped.Bytes()
	damaged[len(damaged)-6] ^= 1 // its checksum
	path := save(t, dir, "x.tfrecord.gz", damaged)
	_, err := dataset.OpenLabelled(path, dataset.Options{})
	checkError(t, err, pipeline.BadData, path+", decompressed: record at byte ", "")
	path = save(t, dir, "x.tfrecord.gz", damaged[:len(damaged)/2])
	_, err = dataset.OpenLabelled(path, dataset.Options{})
	checkError(t, err, pipeline.BadData, path+", decompressed: record at byte ", "")
}

// An example with a file name keeps its part when shards are dealt differently.
func TestOtherShardsMoveNothing(t *testing.T) {
	var all []features
	for i := range 90 {
		f := labelled(i%2, []string{"a", "b"}[i%2])
		f["image/filename"] = fmt.Sprintf("%d.jpg", i)
		f["image/encoded"] = fmt.Sprintf("image %d", i)
		all = append(all, f)
	}
	one, many := t.TempDir(), t.TempDir()
	save(t, one, "all.tfrecord", recordFile(all...))
	for i := range 3 {
		save(t, many, fmt.Sprintf("data-%05d-of-00003", i), recordFile(all[30*(2-i):30*(3-i)]...))
	}
	contents := func(p dataset.Part) map[string]bool {
		set := map[string]bool{}
		for i := range p.Len() {
			b, err := p.Bytes(i)
			if err != nil {
				t.Fatal(err)
			}
			set[string(b)] = true
		}
		return set
	}
	a, b := open(t, one, dataset.Options{}), open(t, many, dataset.Options{})
	for _, name := range []string{"train", "val", "test"} {
		x, y := contents(partOf(t, a, name)), contents(partOf(t, b, name))
		if len(x) == 0 || fmt.Sprint(x) != fmt.Sprint(y) {
			t.Errorf("%s has %d images, and then %d others", name, len(x), len(y))
		}
	}
}

func TestBadCIFAR(t *testing.T) {
	record := func(labels ...byte) string { return string(labels) + strings.Repeat("\x00", 3072) }
	names := "cat\ndog\n"
	for name, c := range map[string]struct {
		files         map[string]string
		message, hint string
	}{
		"no names":     {map[string]string{"data_batch_1.bin": record(0)}, "batches.meta.txt", "comes with this file"},
		"no batches":   {map[string]string{"fine_label_names.txt": names}, "has no images", ""},
		"cut off":      {map[string]string{"batches.meta.txt": names, "data_batch_1.bin": record(0) + record(1)[:99]}, "data_batch_1.bin: record at byte 3073: the file ends within it", ""},
		"label beyond": {map[string]string{"batches.meta.txt": names, "test_batch.bin": record(1) + record(2)}, "test_batch.bin: record at byte 3073: label 2, but there are 2 classes", ""},
		"fine beyond":  {map[string]string{"fine_label_names.txt": names, "train.bin": record(0, 1) + record(0, 9)}, "train.bin: record at byte 3074: label 9, but there are 2 classes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range c.files {
				save(t, dir, file, []byte(content))
			}
			_, err := dataset.OpenLabelled(dir, dataset.Options{})
			checkError(t, err, pipeline.BadData, c.message, c.hint)
		})
	}
	dir := t.TempDir()
	save(t, dir, "batches.meta.txt", []byte(names))
	path := save(t, dir, "test_batch.bin", []byte(record(0)+record(1)))
	s, err := dataset.OpenLabelled(dir, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	save(t, dir, "test_batch.bin", []byte(record(0)))
	_, err = s.Test.Bytes(1)
	checkError(t, err, pipeline.BadData, path+": image at byte 3074: ", "")
}
