package rundir

import (
	"crypto/sha256"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

func TestDataReturnsAsItWas(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	want := []pipeline.Recorded{{ID: "a/1.jpg", Class: "a", Part: "train"}, {ID: "b/2, 3\n.jpg", Class: `"b"`, Part: "val"}, {ID: "c", Class: "a", Part: "test"}}
	if err := d.WriteData(slices.Values(want)); err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadData(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if text := read(t, d.File("data.csv")); !strings.HasPrefix(text, "path,label,split\na/1.jpg,a,train\n") {
		t.Errorf("wrote %q", text)
	}
}

// Names that a spreadsheet would run are inert in the file, and read back as they were.
func TestFormulasReturnAsTheyWere(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	var want []pipeline.Recorded
	for _, name := range []string{"=cmd", "+1", "-1", "@sum", "\tx", "\rx", "'tis", "'=x", "''-x", "'"} {
		want = append(want, pipeline.Recorded{ID: name + "/1.jpg", Class: name, Part: "train"})
	}
	if err := d.WriteData(slices.Values(want)); err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadData(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	for line := range strings.Lines(read(t, d.File("data.csv"))) {
		if strings.ContainsAny(line[:1], "=+-@\t\r") {
			t.Errorf("%q begins like a formula", line)
		}
	}
	// Files of older runs have such names as they are.
	write(t, d.File("data.csv"), "path,label,split\n=a,'tis,train\n-b,+c,val\n")
	if got, err := d.ReadData(); err != nil || !slices.Equal(got, []pipeline.Recorded{{ID: "=a", Class: "'tis", Part: "train"}, {ID: "-b", Class: "+c", Part: "val"}}) {
		t.Errorf("an older run: got %q, %v", got, err)
	}
}

func TestContentsReturnAsTheyWere(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	if got, err := d.ReadContents(); got != nil || err != nil {
		t.Errorf("an older run: %v, %v", got, err)
	}
	if err := d.WriteContents(slices.Values([]Content{{"b", sha256.Sum256([]byte("b"))}, {"unreadable", [32]byte{}}, {"a", [32]byte{31: 1}}})); err != nil {
		t.Fatal(err)
	}
	a, b := strings.Repeat("0", 62)+"01", "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
	if got, want := read(t, d.File("contents.csv")), "path,sha256\nb,"+b+"\na,"+a+"\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
	if got, err := d.ReadContents(); err != nil || !maps.Equal(got, map[string][32]byte{"a": {31: 1}, "b": sha256.Sum256([]byte("b"))}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestBadImagesReturnAsTheyWere(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	for name, one := range map[string]struct {
		write func([]BadImage) error
		read  func() ([]BadImage, error)
	}{
		"bad-images.csv":            {d.WriteBadImages, d.ReadBadImages},
		"evaluation-bad-images.csv": {d.WriteEvaluationBadImages, d.ReadEvaluationBadImages},
	} {
		if got, err := one.read(); got != nil || err != nil {
			t.Errorf("without %s: %v, %v", name, got, err)
		}
		want := []BadImage{{ID: "a.jpg", Class: "a", Part: "train", Reason: "is cut off"}, {ID: "b.jpg", Part: "test", Reason: "is empty"}}
		if err := one.write(want); err != nil {
			t.Fatal(err)
		}
		if got, err := one.read(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if got := read(t, d.File(name)); got != "path,label,split,reason\na.jpg,a,train,is cut off\nb.jpg,,test,is empty\n" {
			t.Errorf("%s: wrote %q", name, got)
		}
		if err := one.write(nil); err != nil || read(t, d.File(name)) != "path,label,split,reason\n" {
			t.Errorf("%s of none: %v", name, err)
		}
	}
}

func TestADamagedTableIsNamedWithItsLine(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	for text, want := range map[string]string{
		"":                                    "data.csv:1: must be path,label,split",
		"path,split\na,train\n":               "data.csv:1: ",
		"a,b,train\n":                         "data.csv:1: must be path,label,split",
		"path,label,split\na,b,train\nc,d\n":  "data.csv:3: wrong number of fields",
		"path,label,split\n\"a\nb\",b,half\n": `data.csv:2: split "half": must be train, val, test`,
	} {
		write(t, d.File("data.csv"), text)
		_, err := d.ReadData()
		if pipeline.KindOf(err) != pipeline.BadModel || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestLabelsReturnAsTheyWere(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	if _, err := d.ReadLabels(); pipeline.KindOf(err) != pipeline.BadModel {
		t.Errorf("without labels: %v", err)
	}
	want := []string{"bird", "a cat", "Ünïcode"}
	if err := d.WriteLabels(want); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d.File("labels.txt")); got != "bird\na cat\nÜnïcode\n" {
		t.Errorf("wrote %q", got)
	}
	if got, err := d.ReadLabels(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := d.WriteLabels([]string{"a", "b\nc"}); pipeline.KindOf(err) != pipeline.BadData {
		t.Errorf("a class of two lines: %v", err)
	}
}
