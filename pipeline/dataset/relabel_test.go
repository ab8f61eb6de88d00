package dataset_test

import (
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

func TestRelabel(t *testing.T) {
	s, err := dataset.OpenLabelled(tree(t, "train/bird/1.jpg", "train/cat/1.jpg", "test/cat/2.jpg", "test/dog/1.jpg", "test/bird/2.jpg"), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Relabel([]string{"dog", "cat", "bird"}, false)
	if err != nil {
		t.Fatal(err)
	}
	labels := func(p dataset.Part) (list []int) {
		for i := range p.Len() {
			list = append(list, p.Sample(i).Label)
		}
		return list
	}
	if got := labels(r.Test); !slices.Equal(got, []int{2, 1, 0}) || !slices.Equal(r.Classes, []string{"dog", "cat", "bird"}) {
		t.Errorf("labels %v of %q", got, r.Classes)
	}
	if got := labels(s.Test); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("the set itself has become %v", got)
	}

	_, err = s.Relabel([]string{"cat", "dog"}, false)
	checkError(t, err, pipeline.BadData, `has classes that the model does not know: "bird"`, "common-classes")
	_, err = s.Relabel([]string{"ant", "bird", "cat", "dog"}, false)
	checkError(t, err, pipeline.BadData, `no images of these classes of the model: "ant"`, "common-classes")
	_, err = s.Relabel([]string{"ant", "cat", "dog"}, false)
	checkError(t, err, pipeline.BadData, `only the data has "bird", only the model has "ant"`, "common-classes")
	_, err = s.Relabel([]string{"Cat", "Dog"}, true)
	checkError(t, err, pipeline.BadData, `none of the classes of the data: "bird", "cat", "dog"`, `the model has "Cat", "Dog"`)
	_, err = s.Relabel([]string{"cat", "dog", "cat"}, true)
	checkError(t, err, pipeline.BadModel, `"cat" twice`, "")

	r, err = s.Relabel([]string{"ant", "dog", "cat"}, true)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "all", partOf(t, r, pipeline.AllParts), "test/cat/2.jpg", "test/dog/1.jpg", "train/cat/1.jpg")
	if got := labels(partOf(t, r, pipeline.AllParts)); !slices.Equal(got, []int{2, 1, 2}) {
		t.Errorf("labels %v", got)
	}
	if b, err := r.Test.Bytes(1); err != nil || string(b) != "test/dog/1.jpg" {
		t.Errorf("%q, %v", b, err)
	}
	if len(warnings(r)) != 2 || !strings.Contains(warnings(r)[0], `2 images of classes`) || !strings.Contains(warnings(r)[1], `"ant"`) {
		t.Errorf("warnings %q", warnings(r))
	}
}

func TestDigest(t *testing.T) {
	names := []string{"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"}
	digest := func(names ...string) string { return open(t, tree(t, names...), dataset.Options{}).Digest() }
	was := digest(names...)
	if len(was) != 64 || digest(names...) != was {
		t.Errorf("another root, another digest; or not SHA-256: %s", was)
	}
	seen := map[string]string{was: "the set itself"}
	for what, names := range map[string][]string{
		"another image": append(names, "val/b/2.jpg"),
		"another name":  {"train/a/1.jpg", "train/b/2.jpg", "val/a/1.jpg", "val/b/1.jpg"},
		"another class": {"train/a/1.jpg", "train/c/1.jpg", "val/a/1.jpg", "val/c/1.jpg"},
	} {
		d := digest(names...)
		if seen[d] != "" {
			t.Errorf("%s has the digest of %s", what, seen[d])
		}
		seen[d] = what
	}
	// The same images, split differently.
	root := tree(t, append(images("a", 20), images("b", 20)...)...)
	one, two := open(t, root, dataset.Options{Exact: true, Seed: 1}), open(t, root, dataset.Options{Exact: true, Seed: 2})
	if one.Digest() == two.Digest() {
		t.Error("the digest does not tell two splits apart")
	}
	relabelled, err := one.Relabel([]string{"b", "a"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if relabelled.Digest() == one.Digest() || relabelled.Test.Digest() == one.Test.Digest() {
		t.Error("the digest does not tell labels apart")
	}
}
