package findings

import (
	"maps"
	"slices"
	"strings"

	"tftl/pipeline"
	"tftl/pipeline/audit"
)

// Leak as the word of a Selection stands for copies that cross parts.
const Leak = "leak"

// Selection is an audit.csv, and which of its findings are meant.
type Selection struct {
	Path string
	Only string // a kind, or Leak; empty for all
}

// ParseSelection reads FILE or FILE:KIND. exists says whether there is a file of a
// name, since a name may have a colon.
func ParseSelection(text string, exists func(path string) bool) (Selection, error) {
	path, word, ok := cutLast(text, ":")
	switch {
	case text == "" || ok && path == "":
		return Selection{}, pipeline.Errorf(pipeline.BadUsage, "%s %q: must be an audit.csv, or one with a kind, such as audit.csv:label-error", pipeline.Option("exclude"), text)
	case !ok || exists(text):
		return Selection{Path: text}, nil
	case audit.IsKind(word) || word == Leak:
		return Selection{path, word}, nil
	}
	return Selection{}, pipeline.Errorf(pipeline.BadUsage, "%s %s: kind %q: must be one of %s, %s", pipeline.Option("exclude"), text, word, kindList(), Leak)
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// String is the selection as it is typed.
func (s Selection) String() string {
	if s.Only == "" {
		return s.Path
	}
	return s.Path + ":" + s.Only
}

// Select keeps the rows that are meant.
func (s Selection) Select(rows []Row) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return s.Only != "" && string(r.Kind) != s.Only && !(s.Only == Leak && r.Leak)
	})
}

// Exclusion is what is left out of training.
type Exclusion struct {
	Images   map[string]audit.Kind // to leave out, with the reason
	Test     []string              // stay because they are in the test part
	Accepted []string              // stay because a baseline has accepted them
	Unknown  []string              // are not in the data
}

// Exclude decides which images of a data set to leave out because of findings. part is
// the part of an image, or empty if the data does not have it.
//
// Images of the test part always stay, and so do those whose finding was accepted. One
// image of a group of copies stays: those in the test part if there are any, else the
// first in validation, else the first in train.
func Exclude(rows []Row, part func(image string) string) Exclusion {
	e := Exclusion{Images: map[string]audit.Kind{}}
	groups, stay := map[int][]Row{}, map[int]bool{} // stay: an image of the group does in any case
	for _, r := range rows {
		if r.Group > 0 && part(r.Image) == pipeline.TestPart {
			stay[r.Group] = true // not all others of a large group are named
		}
		switch {
		case part(r.Image) == "":
			e.Unknown = append(e.Unknown, r.Image)
		case r.Accepted:
			e.Accepted = append(e.Accepted, r.Image)
		case part(r.Image) == pipeline.TestPart:
			e.Test = append(e.Test, r.Image)
		case r.Kind.Copies():
			groups[r.Group] = append(groups[r.Group], r)
		default:
			e.add(r)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		e.excludeCopies(groups[group], stay[group], part)
	}
	e.Accepted = slices.DeleteFunc(e.Accepted, func(image string) bool {
		_, out := e.Images[image] // for something else
		return out
	})
	for _, list := range []*[]string{&e.Test, &e.Accepted, &e.Unknown} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return e
}

func (e *Exclusion) add(r Row) {
	if was, ok := e.Images[r.Image]; !ok || rank(r.Kind) < rank(was) {
		e.Images[r.Image] = r.Kind
	}
}

// excludeCopies leaves out images of a group, of which rows are those that may be left
// out, but not all of the group. stay says that another image stays in any case.
func (e *Exclusion) excludeCopies(rows []Row, stay bool, part func(image string) string) {
	slices.SortFunc(rows, func(a, b Row) int {
		inTraining := func(r Row) bool { return part(r.Image) == pipeline.TrainPart }
		if c := compareBool(inTraining(a), inTraining(b)); c != 0 {
			return c
		}
		return strings.Compare(a.Image, b.Image)
	})
	stays := func(image string) bool {
		_, out := e.Images[image]
		return part(image) != "" && !out
	}
	own := map[string]bool{}
	for _, r := range rows {
		own[r.Image] = true
	}
	for _, r := range rows {
		for _, image := range r.Others {
			stay = stay || !own[image] && stays(image)
		}
	}
	for _, r := range rows {
		switch {
		case stay:
			e.add(r)
		case stays(r.Image):
			stay = true // this one
		}
	}
}
