package train

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tftl/internal/printable"
	"tftl/internal/regular"
	"tftl/pipeline"
	"tftl/pipeline/audit/findings"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// exclusion is what an audit leaves out of a run.
type exclusion struct {
	findings.Exclusion
	of     string            // as it was asked for
	images []rundir.BadImage // that were left out, with the reason
	counts [3]int            // of them, by part
}

// exclude leaves out of a set the images that audits have findings of, but none of the
// test part. It is nil if nothing was asked for.
func exclude(set *dataset.Set, asked []findings.Selection) (*exclusion, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	rows, of, err := readFindings(asked)
	if err != nil {
		return nil, err
	}
	parts := map[string]string{} // of the images
	for p, part := range set.Parts() {
		for i := range part.Len() {
			parts[part.Sample(i).ID] = pipeline.Parts()[p]
		}
	}
	e := &exclusion{Exclusion: findings.Exclude(rows, func(image string) string { return parts[image] }), of: of}
	known := func(r findings.Row) bool { return parts[r.Image] != "" }
	if len(rows) > 0 && !slices.ContainsFunc(rows, known) {
		err := pipeline.Errorf(pipeline.BadData, "%s %s: the data has none of the images that it names: %s", pipeline.Option("exclude"), of, printable.Few(e.Unknown))
		return nil, pipeline.WithHint(err, "audit the same data that is trained on")
	}
	for p, part := range []*dataset.Part{&set.Train, &set.Validation} {
		was := *part
		*part = was.Keep(func(i int) bool {
			kind, out := e.Images[was.Sample(i).ID]
			if out {
				s := was.Sample(i)
				e.images = append(e.images, rundir.BadImage{ID: s.ID, Class: set.Classes[s.Label], Part: pipeline.Parts()[p], Reason: string(kind)})
				e.counts[p]++
			}
			return !out
		})
	}
	return e, e.check(set)
}

// readFindings reads the audits. Groups of different files get different numbers.
func readFindings(asked []findings.Selection) (rows []findings.Row, of string, err error) {
	groups, first := 0, map[string]int{} // by path: what its groups are counted from
	var names []string
	for _, s := range asked {
		file, err := regular.Open(s.Path)
		if err != nil {
			return nil, "", pipeline.Errorf(pipeline.BadData, "%s: %w", pipeline.Option("exclude"), err)
		}
		all, err := findings.ReadTable(file, s.Path)
		_ = file.Close()
		if err != nil {
			return nil, "", pipeline.About("exclude", err)
		}
		from, again := first[s.Path]
		if !again {
			from, first[s.Path] = groups, groups
		}
		for i := range all {
			if r := &all[i]; r.Group > 0 {
				r.Group += from
				groups = max(groups, r.Group)
			}
		}
		rows = append(rows, s.Select(all)...)
		names = append(names, s.String())
	}
	return rows, strings.Join(names, ", "), nil
}

// check returns an error if too little is left.
func (e *exclusion) check(set *dataset.Set) error {
	left := make([]bool, len(set.Classes))
	for i := range set.Train.Len() {
		left[set.Train.Sample(i).Label] = true
	}
	wrong := ""
	if label := slices.Index(left, false); label >= 0 {
		wrong = fmt.Sprintf("no training image of %q is left", set.Classes[label])
	} else if set.Validation.Len() == 0 && e.counts[1] > 0 {
		wrong = "no image is left in the validation part"
	}
	if wrong == "" {
		return nil
	}
	err := pipeline.Errorf(pipeline.BadData, "%s %s: %s", pipeline.Option("exclude"), e.of, wrong)
	return pipeline.WithHint(err, "choose the findings to leave out, for example %s audit.csv:label-error", pipeline.Option("exclude"))
}

// record is what config.json says of it.
func (e *exclusion) record() *rundir.Excluded {
	if e == nil {
		return nil
	}
	h := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(e.Images)) {
		fmt.Fprintf(h, "%q\n", id)
	}
	return &rundir.Excluded{Findings: e.of, Train: e.counts[0], Validation: e.counts[1], SHA256: hex.EncodeToString(h.Sum(nil))}
}

// describe says what was left out and what was not.
func (e *exclusion) describe(env workflow.Env) {
	if e == nil {
		return
	}
	option := pipeline.Option("exclude")
	env.Say("%s %s: images left out of training: %d, and of validation: %d", option, e.of, e.counts[0], e.counts[1])
	if n := len(e.Test); n > 0 {
		env.Say("images with findings that stay because the test part is never changed: %d", n)
	}
	if n := len(e.Accepted); n > 0 {
		env.Say("images with findings that stay because a baseline has accepted them: %d", n)
	}
	if len(e.Unknown) > 0 {
		env.Warn("%s %s: names images that the data does not have: %s", option, e.of, printable.Few(e.Unknown))
	}
}

// leftOut are the images that the run left out because of findings, or nil.
func leftOut(run rundir.Dir) (map[string]bool, error) {
	list, err := run.ReadExcluded()
	if err != nil {
		return nil, rundir.Unreadable(err)
	}
	images := map[string]bool{}
	for _, image := range list {
		images[image.ID] = true
	}
	return images, nil
}

// sortedImages are the images that were left out, by part and name.
func (e *exclusion) sortedImages() []rundir.BadImage {
	slices.SortFunc(e.images, func(a, b rundir.BadImage) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.ID, b.ID))
	})
	return e.images
}
