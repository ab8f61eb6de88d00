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
	"context"
	"crypto/sha256"
	"path"
	"slices"
	"strings"

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
func Run(ctx context.Context, set *dataset.Set, reader Reader, progress pipeline.Progress) (*Report, error) {
	r := Counts(set)
	var images []image
	for p, part := range set.Parts() {
		for i := range part.Len() {
			s := part.Sample(i)
			file := File{Path: s.ID, Part: pipeline.Parts()[p], Class: set.Classes[s.Label]}
			images = append(images, image{File: file, sample: s, read: func() ([]byte, error) { return part.Bytes(i) }})
		}
	}
	h := newHasher()
	err := each(ctx, len(images), reader.Workers, progress, func(i int) error {
		return images[i].inspect(ctx, reader, h)
	})
	if err != nil {
		return nil, err
	}
	r.measure(images)
	r.note(images)
	for _, im := range images {
		switch {
		case im.reason != "":
			r.find(Unreadable, im.reason, im.File)
		case im.blank:
			r.find(Blank, "", im.File)
		}
		if claim := claimed(im.Path); claim != "" && im.header.Format != "" && claim != im.header.Format {
			r.find(WrongExtension, "is a "+im.header.Format, im.File)
		}
	}
	exact := duplicates(images)
	for _, group := range exact {
		if len(group) > 1 {
			r.findAlike(Duplicate, LeakedDuplicate, images, group)
		}
	}
	near, err := nearDuplicates(ctx, images, exact)
	if err != nil {
		return nil, err
	}
	for _, group := range near {
		r.findAlike(NearDuplicate, LeakedNearDuplicate, images, group)
	}
	r.sort()
	return r, nil
}

// image is what is kept of an image.
type image struct {
	File
	sample pipeline.Sample
	read   func() ([]byte, error)

	reason    string // why it cannot be used
	digest    [sha256.Size]byte
	header    Header
	thumbnail *thumbnail // nil if it cannot be decoded
	brightest float32    // of the thumbnail's values
	blank     bool
}

// inspect fills in what an image's bytes tell. Its error ends the check; a bad
// image is not an error.
func (im *image) inspect(ctx context.Context, reader Reader, h *hasher) error {
	encoded, err := im.read()
	if err == nil {
		im.digest = sha256.Sum256(encoded)
		im.header = reader.Header(encoded)
		var batch pipeline.Batch
		if batch, err = reader.Decode(ctx, [][]byte{encoded}, []pipeline.Sample{im.sample}); err == nil {
			im.thumbnail, im.blank = h.thumbnail(batch.Data)
			im.brightest = slices.Max(batch.Data)
			return nil
		}
	}
	im.reason, err = Reason(im.sample, err)
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

// duplicates groups images by their bytes, in order. An image without a copy is a
// group of one. An image that cannot be decoded is in no group.
func duplicates(images []image) (groups [][]int) {
	place := map[[sha256.Size]byte]int{}
	for i, im := range images {
		if im.thumbnail == nil {
			continue
		}
		at, known := place[im.digest]
		if !known {
			at = len(groups)
			place[im.digest] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}
