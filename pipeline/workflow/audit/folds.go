package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/audit"
	"tftl/pipeline/dataset"
)

// validationShare is which share of the images that a head may learn from decides when
// it stops: one in so many.
const validationShare = 10

// deal gives each image a fold from 0 to k-1, equally many of each class. Images that
// stay together, copies among them, share a fold: a head that has learnt from a copy
// knows the answer.
func (j *judge) deal(k int, seed uint64, copies []audit.Finding) ([]int, error) {
	of, err := j.set.Folds(k, dataset.Options{Exact: true, Seed: seed})
	if err != nil {
		return nil, err
	}
	together := joined(j.set.Together(), copies)
	first := map[string]int{} // fold of the first image of those that stay together
	folds := make([]int, j.images.Len())
	for i := range folds {
		image := j.images.Sample(i).ID
		fold, known := first[together[image]]
		if !known {
			fold = of[image]
			first[together[image]] = fold
		}
		folds[i] = fold
	}
	return folds, nil
}

// joined gives the same name to all images that stay together, directly, as copies or
// through others. names are those of images that stay together directly.
func joined(names map[string]string, copies []audit.Finding) map[string]string {
	of := map[string]string{} // a name that stands for another
	root := func(name string) string {
		for of[name] != "" {
			name = of[name]
		}
		return name
	}
	first := map[int]string{} // name of each group
	for _, f := range copies {
		name := root(names[f.Image])
		if other, ok := first[f.Group]; !ok {
			first[f.Group] = name
		} else if other = root(other); other != name {
			of[name] = other
		}
	}
	all := map[string]string{}
	for image, name := range names {
		all[image] = root(name)
	}
	return all
}

// tooFew is the error for a fold without images to learn from.
func (j *judge) tooFew(copies int) error {
	err := pipeline.Errorf(pipeline.BadData, "%d images are too few for %d folds", j.images.Len(), j.Folds)
	if copies == 0 {
		return err
	}
	return pipeline.WithHint(err, "copies share a fold, and %d of the images are copies of others", copies)
}

// predict trains a head for each fold, and predicts the images of the fold with it. An
// image whose class the head has not seen gets no probabilities.
func (j *judge) predict(ctx context.Context, copies []audit.Finding) error {
	folds, err := j.deal(j.Folds, j.Config.Seed, copies)
	if err != nil {
		return err
	}
	stops, err := j.deal(validationShare, j.Config.Seed+1, copies)
	if err != nil {
		return err
	}
	j.warnOfSmallClasses()
	j.predictions = make([]pipeline.Prediction, j.images.Len())
	for fold := range j.Folds {
		learnt, validation, judged := split(folds, stops, fold)
		if len(judged) == 0 {
			continue
		}
		if len(validation) == 0 || len(learnt) < 2 {
			return j.tooFew(len(copies))
		}
		j.env.Progress(pipeline.Event{Phase: "folds", Done: fold, Total: j.Folds})
		if _, err := j.heads.Train(ctx, j.Config.Seed+uint64(fold), learnt, validation); err != nil {
			return fmt.Errorf("fold %d: %w", fold, err)
		}
		predictions, err := j.heads.Predict(ctx, judged)
		if err != nil {
			return err
		}
		known := map[int]bool{}
		for _, i := range learnt {
			known[j.images.Sample(i).Label] = true
		}
		for k, i := range judged {
			j.predictions[i] = predictions[k]
			if !known[predictions[k].Sample.Label] {
				j.predictions[i].Probabilities = nil
			}
		}
		j.trained++
	}
	j.env.Progress(pipeline.Event{Phase: "folds", Done: j.Folds, Total: j.Folds})
	return nil
}

// split lists the images that the head of a fold learns from, those that decide when it
// stops, and those that it judges. In a small data set, the fold may have all images
// that were to decide; then the next ones do.
func split(folds, stops []int, fold int) (learnt, validation, judged []int) {
	stop := fold % validationShare
	left := map[int]bool{} // numbers that images outside of the fold have
	for i, f := range folds {
		if f != fold {
			left[stops[i]] = true
		}
	}
	for len(left) > 0 && !left[stop] {
		stop = (stop + 1) % validationShare
	}
	for i, f := range folds {
		switch {
		case f == fold:
			judged = append(judged, i)
		case stops[i] == stop:
			validation = append(validation, i)
		default:
			learnt = append(learnt, i)
		}
	}
	return learnt, validation, judged
}

// warnOfSmallClasses warns of classes that not every fold can have.
func (j *judge) warnOfSmallClasses() {
	images := make([]int, len(j.set.Classes))
	for i := range j.images.Len() {
		images[j.images.Sample(i).Label]++
	}
	var small []int
	for class, n := range images {
		if n < j.Folds {
			small = append(small, class)
		}
	}
	if len(small) == 0 {
		return
	}
	slices.SortStableFunc(small, func(a, b int) int { return cmp.Compare(images[a], images[b]) })
	var names []string
	for _, class := range small {
		names = append(names, fmt.Sprintf("%q has %d", printable.Shorten(j.set.Classes[class], 60), images[class]))
	}
	j.env.Warn("classes with fewer images than folds, whose labels are judged by heads that know little of them: %s", printable.Few(names))
}
