package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// ClassName is what a class is called that a folder, a manifest or a model
// names: without the space around it, and in Unicode's normal form C. Systems
// store an accent in one character or in two, which look the same.
func ClassName(name string) string { return norm.NFC.String(strings.TrimSpace(name)) }

func classNames(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = ClassName(name)
	}
	return list
}

// nameClasses calls every class by its name. Paths stay as they are. Several
// spellings of a class in one part may be a mistake, and are told of.
func (l *listing) nameClasses() {
	spellings := map[string][]string{} // by the name
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
				l.warn("names that look the same are one class, %q: %s", name, ascii(list))
			}
		}
		clear(spellings)
	}
}

// ascii lists names so that those which look the same are told apart.
func ascii(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%+q", name)
	}
	return strings.Join(list, ", ")
}

// warnOfCase tells of classes that are probably one.
func (l *listing) warnOfCase() {
	alike := map[string][]string{}
	for _, class := range classesOf(slices.Concat(l.parts[:]...)) {
		lower := strings.ToLower(class)
		alike[lower] = append(alike[lower], class)
	}
	for _, lower := range slices.Sorted(maps.Keys(alike)) {
		if list := alike[lower]; len(list) > 1 {
			l.warn("classes that differ in upper and lower case alone: %s", quoted(list))
		}
	}
}
