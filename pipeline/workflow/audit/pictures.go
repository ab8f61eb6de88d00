package audit

import (
	"context"
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
		l := audit.LookAt(rgb, width, height)
		mu.Lock()
		defer mu.Unlock()
		looks[s.ID] = l
		return rgb, width, height, nil
	}
	copies, undecoded, err := audit.Copies{
		Images: j.images, Decode: decode, Part: func(i int) string { return j.parts[i] },
		Class: func(label int) string { return j.set.Classes[label] }, Workers: j.Workers, Progress: j.env.Progress,
	}.Find(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, u := range undecoded {
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
