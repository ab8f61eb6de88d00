package runfile

import (
	"slices"
)

// Varied is an option of tftl fit that differs between the runs of a file.
type Varied struct {
	Name   string
	Values []string // of each run, as part of a name; empty if a run does not set it
}

// Varied lists the options that differ between runs, apart from the seed and the
// fold, which make repetitions of the same setting.
func (f File) Varied() []Varied {
	var names []string
	for _, run := range f.Runs {
		for _, o := range run.Fit {
			if o.Name != SeedOption && o.Name != FoldOption && !slices.Contains(names, o.Name) {
				names = append(names, o.Name)
			}
		}
	}
	var all []Varied
	for _, name := range names {
		v := Varied{name, f.texts(name)}
		if slices.ContainsFunc(v.Values, func(text string) bool { return text != v.Values[0] }) {
			all = append(all, v)
		}
	}
	return all
}

// texts are the values of an option in each run.
func (f File) texts(name string) []string {
	var a axis
	known := map[string]int{}      // values of the axis by their whole texts
	at := make([]int, len(f.Runs)) // of a run's value in the axis, or -1
	for i, run := range f.Runs {
		at[i] = -1
		if k := slices.IndexFunc(run.Fit, func(o Option) bool { return o.Name == name }); k >= 0 {
			value := run.Fit[k].Value
			text := called(value, nil)
			if _, ok := known[text]; !ok {
				known[text], a.values = len(a.values), append(a.values, value)
			}
			at[i] = known[text]
		}
	}
	names, texts := a.texts(), make([]string, len(f.Runs))
	for i, k := range at {
		if k >= 0 {
			texts[i] = names[k]
		}
	}
	return texts
}
