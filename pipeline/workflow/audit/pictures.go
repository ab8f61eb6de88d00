package audit

import (
	"context"
	"image"
	"sync"

	"tftl/pipeline"
	"tftl/pipeline/audit"
)

// look reads every image once, for its copies and for what its pixels look like.
func (j *judge) look(ctx context.Context) (copies, bad []audit.Finding, err error) {
	var mu sync.Mutex
	looks := map[string]audit.Look{}
	decode := func(ctx context.Context, encoded []byte, s pipeline.Sample) ([]byte, int, int, error) {
		rgb, width, height, err := j.Decode(ctx, encoded, s)
		if err != nil {
			return nil, 0, 0, err
		}
		l := audit.LookAt(opaque(rgb, width, height), image.Pt(width, height))
		mu.Lock()
		defer mu.Unlock()
		looks[s.ID] = l
		return rgb, width, height, nil
	}
	copies, unreadable, err := audit.Copies{
		Images: j.images, Decode: decode, Part: func(i int) string { return j.parts[i] },
		Class: func(label int) string { return j.set.Classes[label] }, Workers: j.Workers, Progress: j.env.Progress,
	}.Find(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, u := range unreadable {
		j.env.Warn("not looked at: %v", u.Err)
	}
	var known []audit.Look
	var samples []pipeline.Sample
	for i := range j.images.Len() {
		s := j.images.Sample(i)
		if l, ok := looks[s.ID]; ok {
			known, samples = append(known, l), append(samples, s)
		}
	}
	bad, err = audit.BadImages(known, samples, j.set.Classes)
	return copies, bad, err
}

// opaque is an image of three bytes per pixel.
func opaque(rgb []byte, width, height int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for from, to := 0, 0; from+2 < len(rgb) && to+3 < len(m.Pix); from, to = from+3, to+4 {
		m.Pix[to], m.Pix[to+1], m.Pix[to+2], m.Pix[to+3] = rgb[from], rgb[from+1], rgb[from+2], 255
	}
	return m
}
