package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// ClassName normalizes the name of a class that a folder, a manifest or a model
// gives: without outer space, and in Unicode's normal form C. Systems store an
// accent as one character or as two, which look the same.
func ClassName(name string) string { return norm.NFC.String(strings.TrimSpace(name)) }

func classNames(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = ClassName(name)
	}
	return list
}

// nameClasses normalizes the names of all classes, but no paths. It warns of
// several spellings of a class in one part, which may be a mistake.
func (l *listing) nameClasses() {
	spellings := map[string][]string{} // by normalized name
	for _, items := range l.parts {
		for _, class := range classesOf(items) {
			name := ClassName(class)
			spellings[name] = append(spellings[name], class)
		}
		for i := range items {
			items[i].class = ClassName(items[i].class)
		}
		for _, name := range slices.Sorted(maps.Keys(spellings)) {
			if list := spellings[name]; len(list) > 1 {
				l.warn("names that look the same are taken for one class, %q: %s", name, ascii(list))
			}
		}
		clear(spellings)
	}
}

// ascii lists names so that a reader can tell those apart that look the same.
func ascii(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%+q", name)
	}
	return strings.Join(list, ", ")
}

// warnOfCase warns of classes that are probably the same.
func (l *listing) warnOfCase() {
	alike := map[string][]string{}
	for _, class := range classesOf(l.parts[:]...) {
		lower := strings.ToLower(class)
		alike[lower] = append(alike[lower], class)
	}
	for _, lower := range slices.Sorted(maps.Keys(alike)) {
		if list := alike[lower]; len(list) > 1 {
			l.warn("classes that differ only in case: %s", quoted(list))
		}
	}
}
