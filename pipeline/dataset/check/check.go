// Package check examines a data set before a run relies on it. It finds what
// would spoil the run or its metrics, and what a person should know.
//
// It reads and decodes every image once, at a small size, through functions
// that are passed in, and changes nothing on disk. It does not judge what an
// image shows: a cat among the dogs is not found.
//
// Near duplicates are images that look alike when shrunk to 32 by 32 in grey:
// copies that were encoded again, scaled, made a little brighter or more vivid,
// or turned grey. Mirrored, rotated or clearly cropped copies are not found, and
// of a burst only frames in which almost nothing moved. Two pictures that differ
// only in colour count as near duplicates. Cut-outs on white look alike to begin
// with; near.go says how far apart they are.
package check

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"tftl/internal/phash"
	"tftl/pipeline"
	"tftl/pipeline/dataset"
)

// Decode turns images into pixels, [N,H,W,3], 0 to 255. An image that cannot be
// decoded is an error of kind pipeline.BadData.
type Decode func(ctx context.Context, encoded [][]byte, samples []pipeline.Sample) (pipeline.Batch, error)

// Header is what an image says about itself before it is decoded.
type Header struct {
	Format        string
	Width, Height int
	Orientation   int  // from EXIF, 1 to 8; 0 for none
	Depth16       bool // 16 bits per channel
	Transparent   bool
}

// Reader says how to read images.
type Reader struct {
	Header func(encoded []byte) Header // may be wrong for a damaged image
	// Decode returns images of Side by Side, each pixel the mean of its area.
	Decode  Decode
	Workers int // images read at a time; 0 for one per processor
}

// Counts is the part of a check that reads no image. It leaves Report.Warnings
// to the caller.
func Counts(set *dataset.Set) *Report {
	r := &Report{
		TakenFor: set.Description, Ignored: set.Ignored, NoImages: set.NoImages,
		Classes: make([]Class, len(set.Classes)), Formats: map[string]int{}, Findings: []Finding{},
	}
	for c, name := range set.Classes {
		r.Classes[c].Name = name
	}
	for p, part := range set.Parts() {
		r.Images += part.Len()
		for i := range part.Len() {
			r.Classes[part.Sample(i).Label].Images[p]++
		}
		if part.Len() == 0 {
			continue
		}
		for _, c := range r.Classes {
			if c.Images[p] == 0 {
				r.find(MissingClass, pipeline.Parts()[p]+" has no image of "+c.Name)
			}
		}
	}
	r.weigh()
	return r
}

// Run checks everything. Like Counts, it leaves Report.Warnings to the caller.
func Run(ctx context.Context, set *dataset.Set, reader Reader, progress pipeline.Progress) (r *Report, err error) {
	r = Counts(set)
	c := checker{Reader: reader, parts: set.Parts(), classes: set.Classes, hasher: phash.New(), reasons: map[int]string{}}
	for p, part := range c.parts {
		for i := range part.Len() {
			c.images = append(c.images, image{part: uint8(p), index: int32(i)})
		}
	}
	if c.thumbnails, err = newThumbnails(len(c.images)); err != nil {
		return nil, err
	}
	defer c.thumbnails.Close()
	err = each(ctx, len(c.images), reader.Workers, progress, func(i int) error { return c.inspect(ctx, i) })
	if err != nil {
		return nil, err
	}
	r.measure(c.images)
	r.note(c.images)
	for i, im := range c.images {
		file := c.file(i)
		switch {
		case !im.decoded:
			r.find(Unreadable, c.reasons[i], file)
		case im.blank:
			r.find(Blank, "", file)
		}
		if claim := claimed(file.Path); claim != "" && im.header.Format != "" && claim != im.header.Format {
			r.find(WrongExtension, "is a "+im.header.Format, file)
		}
	}
	firsts, copies := duplicates(c.images)
	for _, first := range slices.Sorted(maps.Keys(copies)) {
		r.findAlike(Duplicate, LeakedDuplicate, c.files(copies[first]))
	}
	if progress != nil {
		progress(pipeline.Event{Phase: "compare"})
	}
	near, err := nearDuplicates(ctx, c.images, firsts, c.thumbnails)
	if err != nil {
		return nil, err
	}
	for _, group := range near {
		r.findAlike(NearDuplicate, LeakedNearDuplicate, c.files(withCopies(group, copies)))
	}
	r.sort()
	return r, nil
}

// checker is a check in progress.
type checker struct {
	Reader
	parts      [3]dataset.Part
	classes    []string
	images     []image
	hasher     *phash.Hasher
	thumbnails thumbnails

	mu      sync.Mutex
	reasons map[int]string // why an image cannot be used
}

// image is what is kept of an image. There may be very many.
type image struct {
	index   int32 // in its part
	part    uint8
	decoded bool
	blank   bool
	digest  [sha256.Size]byte
	header  Header
	// of its thumbnail
	hash      uint64
	brightest float32
}

// file describes image i.
func (c *checker) file(i int) File {
	im := c.images[i]
	s := c.parts[im.part].Sample(int(im.index))
	return File{Path: s.ID, Part: pipeline.Parts()[im.part], Class: c.classes[s.Label]}
}

func (c *checker) files(group []int) []File {
	files := make([]File, len(group))
	for i, at := range group {
		files[i] = c.file(at)
	}
	return files
}

// inspect fills in what an image's bytes tell. Its error ends the check; a bad
// image is not an error.
func (c *checker) inspect(ctx context.Context, i int) error {
	im := &c.images[i]
	part, index := c.parts[im.part], int(im.index)
	sample := part.Sample(index)
	encoded, err := part.Bytes(index)
	if err == nil {
		im.digest = sha256.Sum256(encoded)
		im.header = c.Header(encoded)
		var batch pipeline.Batch
		if batch, err = c.Decode(ctx, [][]byte{encoded}, []pipeline.Sample{sample}); err == nil {
			var grey grey
			grey, im.blank = thumbnail(batch.Data)
			im.hash = c.hasher.Hash(&grey)
			im.decoded, im.brightest = true, slices.Max(batch.Data)
			if batch.Recycle != nil {
				batch.Recycle()
			}
			return c.thumbnails.put(i, &grey)
		}
	}
	why, err := Reason(sample, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reasons[i] = why
	return err
}

// claimed is the format that a name's extension stands for, or empty.
func claimed(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg":
		return "JPEG"
	case ".png":
		return "PNG"
	case ".bmp":
		return "BMP"
	case ".gif":
		return "GIF"
	case ".webp":
		return "WebP"
	}
	return ""
}

// duplicates finds images with the same bytes. firsts has the first of each, in
// order, and copies all of those that are not alone, by the first. An image that
// cannot be decoded is in neither.
func duplicates(images []image) (firsts []int32, copies map[int][]int) {
	order := make([]int32, 0, len(images))
	for i := range images {
		if images[i].decoded {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(bytes.Compare(images[a].digest[:], images[b].digest[:]), cmp.Compare(a, b))
	})
	copies = map[int][]int{}
	for k, at := range order {
		if k == 0 || images[order[k-1]].digest != images[at].digest {
			firsts = append(firsts, at)
			continue
		}
		first := int(firsts[len(firsts)-1])
		if copies[first] == nil {
			copies[first] = []int{first}
		}
		copies[first] = append(copies[first], int(at))
	}
	slices.Sort(firsts)
	return firsts, copies
}

// withCopies adds their copies to images.
func withCopies(group []int, copies map[int][]int) (all []int) {
	for _, first := range group {
		if copies[first] != nil {
			all = append(all, copies[first]...)
		} else {
			all = append(all, first)
		}
	}
	slices.Sort(all)
	return all
}
