package audit

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"tftl/pipeline"
)

// MostOthers is how many other images of its group a finding names. With all of them,
// what is found of thousands of copies of one image would fill memory and disk.
const MostOthers = 20

// findings makes a finding of every image that has a copy, group by group in the order of
// their first images. Each image is compared with one other, the nearest to the group's
// largest; that one comes first among its others.
func (f *finder) findings(links []link) []Finding {
	members := map[int][]int{}
	var order []int
	for i := range f.pictures {
		root := f.joined.root(i)
		if f.joined.size(i) == 1 {
			continue
		}
		if members[root] == nil {
			order = append(order, root)
		}
		members[root] = append(members[root], i)
	}
	neighbours := map[int][]link{}
	for _, l := range links {
		neighbours[l.a] = append(neighbours[l.a], l)
		neighbours[l.b] = append(neighbours[l.b], l.reversed())
	}
	var all []Finding
	for n, root := range order {
		all = append(all, f.group(n+1, members[root], neighbours)...)
	}
	return all
}

// group makes the findings of one group.
func (f *finder) group(number int, images []int, neighbours map[int][]link) []Finding {
	leak := false
	equal := map[[2]string][]int{} // images by what they have in common
	for _, i := range images {
		leak = leak || f.Part(i) != f.Part(images[0])
		for _, key := range f.keys(i) {
			equal[key] = append(equal[key], i)
		}
	}
	sources := f.sources(images, equal, neighbours)
	first := f.firstOthers(images)
	all := make([]Finding, len(images))
	for k, i := range images {
		s := f.Images.Sample(i)
		l := sources[i]
		finding := Finding{
			Image: s.ID, Kind: NearCopy, Score: l.detail, Label: f.Class(s.Label), Part: f.Part(i),
			Group: number, Leak: leak, Detail: f.words(l),
		}
		keys := f.keys(i)
		switch {
		case len(equal[keys[0]]) > 1:
			finding.Kind, finding.Score = Duplicate, 1
		case len(keys) > 1 && len(equal[keys[1]]) > 1:
			finding.Kind, finding.Score = SamePixels, 1
		}
		if l.a != i {
			finding.Others = append(finding.Others, f.Images.Sample(l.a).ID)
		}
		for _, other := range first {
			if other != i && other != l.a && len(finding.Others) < MostOthers {
				finding.Others = append(finding.Others, f.Images.Sample(other).ID)
			}
		}
		all[k] = finding
	}
	return all
}

// firstOthers are the images of a group that its findings name as others, in order:
// all of them, or some of each part, of the test part first, in a large group.
func (f *finder) firstOthers(images []int) []int {
	const enough = MostOthers + 2 // the image itself and its source are not among them
	if len(images) <= enough {
		return images
	}
	byPart := map[string][]int{}
	for _, i := range images {
		byPart[f.Part(i)] = append(byPart[f.Part(i)], i)
	}
	var first []int
	for at := 0; len(first) < enough; at++ {
		for _, part := range []string{pipeline.TestPart, pipeline.ValidationPart, pipeline.TrainPart} {
			if of := byPart[part]; at < len(of) {
				first = append(first, of[at])
			}
		}
	}
	return first[:enough]
}

// keys are what images with the same bytes and with the same pixels have in common.
func (f *finder) keys(i int) [][2]string {
	p := &f.pictures[i]
	keys := [][2]string{{"bytes", string(p.digest[:])}}
	if !p.blank {
		keys = append(keys, [2]string{"pixels", string(p.pixels[:])})
	}
	return keys
}

// sources says for each image of a group which other one it is compared with, and how they
// differ: it goes from the largest to those that are copies of it, on to copies of these,
// and so on. The largest is compared with itself.
func (f *finder) sources(images []int, equal map[[2]string][]int, neighbours map[int][]link) map[int]link {
	largest := slices.MinFunc(images, func(a, b int) int {
		p, q := &f.pictures[a], &f.pictures[b]
		return cmp.Or(cmp.Compare(q.width*q.height, p.width*p.height), cmp.Compare(q.size, p.size), cmp.Compare(a, b))
	})
	same := likeness{detail: 1, agree: 1, gain: 1}
	sources := map[int]link{largest: {largest, largest, 0, whole(), same}}
	best, seen := 0.0, map[[2]string]bool{}
	for queue := []int{largest}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		var next []link
		for _, key := range f.keys(at) {
			if seen[key] {
				continue // its images are known by now
			}
			seen[key] = true
			for _, i := range equal[key] {
				next = append(next, link{at, i, 0, whole(), same})
			}
		}
		next = append(next, neighbours[at]...)
		slices.SortStableFunc(next, func(x, y link) int { return cmp.Or(cmp.Compare(y.detail, x.detail), cmp.Compare(x.b, y.b)) })
		for _, l := range next {
			if _, known := sources[l.b]; !known {
				sources[l.b] = l
				queue = append(queue, l.b)
				best = max(best, l.detail)
			}
		}
	}
	first := sources[largest]
	first.detail = best
	sources[largest] = first
	return sources
}

// reversed is the link seen from the other image.
func (l link) reversed() link {
	r := l
	r.a, r.b, r.gain, r.brightness = l.b, l.a, 1/l.gain, -l.brightness
	for i, s := range l.placed.scale {
		r.placed.scale[i], r.placed.middle[i] = 1/s, (0.5-l.placed.middle[i])/s+0.5
	}
	if l.turned&transposed != 0 {
		r.turned = transposed | l.turned&leftRight<<1 | l.turned&topBottom>>1
		for _, v := range []*[2]float64{&r.placed.scale, &r.placed.middle} {
			v[0], v[1] = v[1], v[0]
		}
	}
	if r.turned&leftRight != 0 {
		r.placed.middle[0] = 1 - r.placed.middle[0]
	}
	if r.turned&topBottom != 0 {
		r.placed.middle[1] = 1 - r.placed.middle[1]
	}
	return r
}

const (
	cropShare   = 0.97 // of an image: what shows less of it is cropped
	sizeRatio   = 1.03 // of the sizes of the same thing in two images of different sizes
	shapeRatio  = 1.04 // of width to height
	brightLevel = 6    // of 255 by which a copy is brighter
	gainRatio   = 1.1  // of contrasts
)

// words says how image l.b differs from l.a.
func (f *finder) words(l link) string {
	p, q := &f.pictures[l.a], &f.pictures[l.b]
	switch {
	case l.a == l.b:
		return "the largest of the group"
	case p.digest == q.digest:
		return "the same file"
	case p.pixels == q.pixels:
		return "the same pixels"
	}
	var words []string
	if turned := l.turned.words(); turned != "" {
		words = append(words, turned)
	}
	shown, has := l.placed.overlap()
	if has < cropShare {
		words = append(words, "cropped")
	}
	if shown < cropShare {
		words = append(words, "shows more")
	}
	x, y := f.scale(l)
	switch ratio := math.Sqrt(x * y); {
	case max(x/y, y/x) > shapeRatio:
		words = append(words, "stretched")
	case ratio > sizeRatio:
		words = append(words, "enlarged")
	case ratio < 1/sizeRatio:
		words = append(words, "made smaller")
	}
	if words = append(words, l.light()...); len(words) == 0 {
		return "encoded again"
	}
	return strings.Join(words, ", ")
}

// light says how brightness and contrast differ.
func (l link) light() (words []string) {
	brighter, darker := l.brightness > brightLevel, l.brightness < -brightLevel
	switch {
	case brighter:
		words = append(words, "brighter")
	case darker:
		words = append(words, "darker")
	}
	// All values times the same is brighter and has more contrast as well.
	switch {
	case l.gain > gainRatio && !brighter:
		words = append(words, "more contrast")
	case l.gain < 1/gainRatio && !darker:
		words = append(words, "less contrast")
	}
	return words
}
