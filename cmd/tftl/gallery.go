package main

import (
	"bytes"
	"context"
	"fmt"
	stdimage "image"
	"image/jpeg"
	"os"
	"path/filepath"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/metrics"
	"tftl/pipeline/pixels"
	"tftl/pipeline/report"
	"tftl/pipeline/rundir"
	"tftl/savedmodels"
)

const (
	thumbSide    = 240 // pixels of a thumb's longer side: sharp at half of that on a good screen
	explainBatch = 8   // images explained at a time: gradients take more memory than predictions
)

// reporter makes the pictures of a run's report, and then the report.
type reporter struct {
	run       rundir.Dir
	predictor *savedmodels.Predictor
	part      dataset.Part // what was measured on, in the predictions' order
	workers   int
}

// write replaces the run's gallery and its report by those of the table, which
// predictions.csv holds by now.
func (r reporter) write(ctx context.Context, t terminal, table metrics.Table, d metrics.Decision) error {
	mistakes, uncertain := report.Choose(table, d)
	digest, err := report.PredictionsDigest(r.run)
	if err != nil {
		return err
	}
	err = r.run.ReplaceGallery(func(dir string) error {
		pictures, err := r.pictures(ctx, dir, table, d, union(mistakes, uncertain))
		if err != nil {
			return err
		}
		g := report.Gallery{Predictions: digest, Mistakes: []report.Picture{}, Uncertain: []report.Picture{}}
		for _, i := range mistakes {
			g.Mistakes = append(g.Mistakes, pictures[i])
		}
		for _, i := range uncertain {
			g.Uncertain = append(g.Uncertain, pictures[i])
		}
		return report.WriteGallery(dir, g)
	})
	if err != nil {
		return err
	}
	if err := writeReport(r.run); err != nil {
		return err
	}
	t.say("report: %s", r.run.File(reportPage))
	return nil
}

// union is a and what else is in b.
func union(a, b []int) []int {
	seen, all := map[int]bool{}, []int(nil)
	for _, list := range [][]int{a, b} {
		for _, i := range list {
			if !seen[i] {
				seen[i] = true
				all = append(all, i)
			}
		}
	}
	return all
}

// pictures writes the images of an index into dir, and what the model saw in
// them where it can say. They are returned by index.
func (r reporter) pictures(ctx context.Context, dir string, table metrics.Table, d metrics.Decision, index []int) (map[int]report.Picture, error) {
	thumbs := newThumbs(r.predictor.Input)
	defer thumbs.close()
	pictures, classes := map[int]report.Picture{}, make([]int, len(index))
	for k, i := range index {
		p := table.Predictions[i]
		probabilities := d.Calibrate([]pipeline.Prediction{p})[0].Probabilities
		classes[k] = d.Class(probabilities)
		picture := report.Picture{
			ID: p.Sample.ID, Label: table.Classes[p.Sample.Label], Predicted: table.Classes[classes[k]],
			Probability: float64(probabilities[classes[k]]), Thumb: fmt.Sprintf("%02d.jpg", k+1),
		}
		encoded, err := r.part.Bytes(i)
		if err != nil {
			return nil, err
		}
		thumb, err := thumbs.make(ctx, encoded, p.Sample)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, picture.Thumb), thumb, 0o644); err != nil {
			return nil, err
		}
		pictures[i] = picture
	}
	if !r.predictor.Explains() {
		return pictures, nil
	}
	return pictures, r.explain(ctx, index, classes, func(k int, heat []byte) error {
		picture := pictures[index[k]]
		picture.Overlay = fmt.Sprintf("%02d-heat.png", k+1)
		pictures[index[k]] = picture
		return os.WriteFile(filepath.Join(dir, picture.Overlay), heat, 0o644)
	})
}

// explain asks the model where it found a class in each image of an index.
// found gets an overlay for each.
func (r reporter) explain(ctx context.Context, index, classes []int, found func(k int, overlay []byte) error) error {
	decoder, err := newDecoder(r.predictor.Input, r.workers)
	if err != nil {
		return err
	}
	defer decoder.Close()
	source := pixels.Source{Encoded: r.part, Decoder: decoder}
	for from := 0; from < len(index); from += explainBatch {
		to := min(from+explainBatch, len(index))
		batch, err := source.Batch(ctx, 0, index[from:to])
		if err != nil {
			return err
		}
		heat, err := r.predictor.Explain(ctx, batch, classes[from:to])
		if err != nil {
			return err
		}
		for k := from; k < to; k++ {
			size := heat.Height * heat.Width
			overlay, err := paintHeat(heat.Data[(k-from)*size:(k-from+1)*size], heat.Height, heat.Width)
			if err != nil {
				return err
			}
			if err := found(k, overlay); err != nil {
				return err
			}
		}
	}
	return nil
}

// thumbs makes small JPEGs of images: whole and in their own shape where the
// network sees all of them, else what it sees of them.
type thumbs struct {
	input    savedmodels.Input
	decoders map[[2]int]*pixels.Decoder // by height and width; photographs come in few shapes
}

func newThumbs(input savedmodels.Input) thumbs {
	return thumbs{input, map[[2]int]*pixels.Decoder{}}
}

func (t thumbs) close() {
	for _, d := range t.decoders {
		d.Close()
	}
}

func (t thumbs) make(ctx context.Context, encoded []byte, sample pipeline.Sample) ([]byte, error) {
	size := t.input.Size
	if t.input.Fit == "" || t.input.Fit == "stretch" {
		header, err := pixels.ReadHeader(encoded)
		if err != nil {
			return nil, pipeline.Errorf(pipeline.BadData, "image %s: %w", sample.ID, err)
		}
		size = [2]int{header.Height, header.Width}
	}
	scale := min(1, thumbSide/float64(max(size[0], size[1], 1)))
	for i := range size {
		size[i] = max(1, int(float64(size[i])*scale+0.5))
	}
	decoder, ok := t.decoders[size]
	if !ok {
		var err error
		decoder, err = pixels.NewDecoder(pixels.Options{Height: size[0], Width: size[1], Interpolation: "area", Fit: t.input.Fit, Workers: 1})
		if err != nil {
			return nil, err
		}
		t.decoders[size] = decoder
	}
	batch, err := decoder.Decode(ctx, [][]byte{encoded}, []pipeline.Sample{sample})
	if err != nil {
		return nil, err
	}
	picture := stdimage.NewRGBA(stdimage.Rect(0, 0, size[1], size[0]))
	for i := 0; i < len(batch.Data); i += 3 {
		at := i / 3 * 4
		for k := range 3 {
			picture.Pix[at+k] = uint8(min(max(batch.Data[i+k], 0), 255) + 0.5)
		}
		picture.Pix[at+3] = 255
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, picture, &jpeg.Options{Quality: 85})
	return out.Bytes(), err
}
