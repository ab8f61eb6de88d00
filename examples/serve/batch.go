package main

import (
	"context"
	"time"
)

// job is an image that waits for the model.
type job struct {
	ctx    context.Context // of its request
	image  tensor
	result chan result // with room for one, so that nobody waits for a client
}

type result struct {
	prediction prediction
	err        error
}

// batcher runs the model on the images that wait, several at a time.
type batcher struct {
	run  func([]tensor) ([]prediction, error)
	most int           // images in a batch
	wait time.Duration // for more, once there is one
	jobs chan *job     // closed when no more come
	sent func(images int)
}

// predict waits for the prediction of an image, or for the end of its context.
func (b *batcher) predict(ctx context.Context, image tensor) (prediction, error) {
	j := &job{ctx, image, make(chan result, 1)}
	select {
	case b.jobs <- j:
	case <-ctx.Done():
		return prediction{}, ctx.Err()
	}
	select {
	case r := <-j.result:
		return r.prediction, r.err
	case <-ctx.Done():
		return prediction{}, ctx.Err()
	}
}

// work answers jobs until there are no more.
func (b *batcher) work() {
	for first := range b.jobs {
		waiting := b.collect(first)
		for len(waiting) > 0 {
			// Only images of one size can share a batch. If the model resizes them itself, there
			// may be several.
			var batch, others []*job
			for _, j := range waiting {
				switch size := waiting[0].image; {
				case j.image.height == size.height && j.image.width == size.width:
					batch = append(batch, j)
				default:
					others = append(others, j)
				}
			}
			b.answer(batch)
			waiting = others
		}
	}
}

// collect waits for a full batch, but not for long, and drops what nobody waits for.
func (b *batcher) collect(first *job) (jobs []*job) {
	timer := time.NewTimer(b.wait)
	defer timer.Stop()
	add := func(j *job) {
		if j.ctx.Err() == nil {
			jobs = append(jobs, j)
		}
	}
	for add(first); len(jobs) < b.most; {
		select {
		case j, open := <-b.jobs:
			if !open {
				return jobs
			}
			add(j)
		case <-timer.C:
			return jobs
		}
	}
	return jobs
}

func (b *batcher) answer(batch []*job) {
	images := make([]tensor, len(batch))
	for i, j := range batch {
		images[i] = j.image
	}
	b.sent(len(images))
	predictions, err := b.run(images)
	for i, j := range batch {
		if err != nil {
			j.result <- result{err: err}
			continue
		}
		j.result <- result{prediction: predictions[i]}
	}
}
