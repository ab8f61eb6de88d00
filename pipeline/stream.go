package pipeline

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Image is an image without a label, which is read when its turn comes.
type Image struct {
	ID string
	// Bytes reads all of it as it is stored. An error of kind BadData says why the
	// image cannot be used.
	Bytes func() ([]byte, error)
}

// Outcome is the prediction for an image, or the reason why there is none.
type Outcome struct {
	Prediction
	Err error // of kind BadData
}

// Reason is the text of Err without the image's name.
func (o Outcome) Reason() string { return strings.TrimPrefix(o.Err.Error(), "image "+o.Sample.ID+": ") }

// Filled is a Predictor that fills each batch up to a size with copies of its
// last sample. TensorFlow chooses algorithms by the size of a batch, so this gives
// an image the same bits in whichever batch it comes.
type Filled struct {
	Predictor
	Size int
}

// Predict implements Predictor.
func (p Filled) Predict(ctx context.Context, b Batch) ([]Prediction, error) {
	n := len(b.Samples)
	if missing := p.Size - n; n > 0 && missing > 0 {
		if err := CheckBatch(p.Size, len(b.Data)/n); err != nil {
			return nil, err
		}
		last := b.Data[len(b.Data)/n*(n-1):]
		b.Samples, b.Shape = slices.Clone(b.Samples), slices.Clone(b.Shape)
		for range missing {
			b.Samples, b.Data = append(b.Samples, b.Samples[n-1]), append(b.Data, last...)
		}
		b.Shape[0] = int64(p.Size)
	}
	predictions, err := p.Predictor.Predict(ctx, b)
	if err != nil {
		return nil, err
	}
	return predictions[:n], nil
}

// Stream predicts images as they come. Its memory does not depend on their
// number.
type Stream struct {
	// Decode turns images into pixels. It may be called concurrently.
	Decode    func(ctx context.Context, encoded [][]byte, samples []Sample) (Batch, error)
	Predictor Predictor
	BatchSize int
	Workers   int // images decoded at a time; 0 for one per processor
	// Wait is how long to wait for the next image before predicting a batch that is
	// not full. 0 waits for as long as it takes.
	Wait     time.Duration
	Progress Progress
}

// mostBad bounds the bad images that wait for their neighbours in a batch, as a
// multiple of the batch size.
const mostBad = 16

// Due reports whether images are yielded before the next one comes: bad ones that no
// good one waits with, a full batch, or too many bad ones.
func Due(good, all, batchSize int) bool {
	return good == 0 || good == batchSize || all >= mostBad*batchSize
}

// Outcomes predicts images and yields what comes of them in order, a batch at a
// time. An error ends it. A bad image takes no place in a batch, so the
// predictions of the others are the same without it.
//
// If images blocks when ctx ends, Outcomes ends all the same, but a goroutine
// stays until the next image comes.
func (s Stream) Outcomes(ctx context.Context, images iter.Seq2[Image, error]) iter.Seq2[[]Outcome, error] {
	return func(yield func([]Outcome, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		queue, workers := s.decodeAhead(ctx, images)
		defer workers.Wait()
		defer cancel()
		group, event := group{}, Event{Phase: "predict"}
		flush := func() bool {
			outcomes, err := group.predict(ctx, s.Predictor)
			if err != nil {
				yield(nil, err)
				return false
			}
			event.Done += len(outcomes)
			s.Progress.report(event)
			return yield(outcomes, nil)
		}
		for more := true; more; {
			var idle <-chan time.Time
			if s.Wait > 0 && len(group.outcomes) > 0 {
				idle = time.After(s.Wait)
			}
			var next *decoding
			select {
			case next, more = <-queue:
			case <-idle:
			case <-ctx.Done():
			}
			if next != nil {
				select {
				case <-next.done:
				case <-ctx.Done():
				}
			}
			switch {
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			case next == nil:
			case next.err != nil && (next.last || KindOf(next.err) != BadData):
				if len(group.outcomes) == 0 || flush() {
					yield(nil, next.err)
				}
				return
			default:
				group.add(next)
			}
			due := next == nil || Due(group.good, len(group.outcomes), s.BatchSize)
			if due && len(group.outcomes) > 0 && !flush() {
				return
			}
		}
	}
}

// decoding is an image on its way through the workers.
type decoding struct {
	image  Image
	pixels Batch // of one image
	err    error
	last   bool          // err is from the source, which has ended with it
	done   chan struct{} // closed when pixels or err is there
}

// decodeAhead decodes images before their turn, as many as two batches hold. The
// result is in their order; workers ends when ctx or the images do.
func (s Stream) decodeAhead(ctx context.Context, images iter.Seq2[Image, error]) (queue <-chan *decoding, workers *sync.WaitGroup) {
	ordered, work := make(chan *decoding, prefetchDepth*s.BatchSize), make(chan *decoding)
	go func() {
		defer close(ordered)
		defer close(work)
		for image, err := range images {
			d := &decoding{image: image, err: err, last: err != nil, done: make(chan struct{})}
			for _, to := range []chan *decoding{ordered, work} {
				select {
				case to <- d:
				case <-ctx.Done():
					return
				}
			}
			if d.last {
				return
			}
		}
	}()
	count := s.Workers
	if count == 0 {
		count = runtime.GOMAXPROCS(0)
	}
	workers = new(sync.WaitGroup)
	for range count {
		workers.Go(func() {
			for {
				select {
				case d, ok := <-work:
					if !ok {
						return
					}
					d.decode(ctx, s.Decode)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return ordered, workers
}

func (d *decoding) decode(ctx context.Context, decode func(context.Context, [][]byte, []Sample) (Batch, error)) {
	defer close(d.done)
	if d.last {
		return
	}
	encoded, err := d.image.Bytes()
	if err == nil {
		d.pixels, err = decode(ctx, [][]byte{encoded}, []Sample{d.image.sample()})
	}
	d.err = err
}

func (i Image) sample() Sample { return Sample{ID: i.ID, Label: -1, Weight: 1} }

// group is a batch that is being filled.
type group struct {
	outcomes []Outcome // of all images, bad ones too
	good     int
	batch    Batch // of the good ones
	spare    []float32
}

func (g *group) add(d *decoding) {
	g.outcomes = append(g.outcomes, Outcome{Prediction: Prediction{Sample: d.image.sample()}, Err: d.err})
	if d.err != nil {
		return
	}
	if g.good == 0 {
		g.batch = Batch{Shape: slices.Clone(d.pixels.Shape), Data: g.spare[:0]}
		g.spare = nil
	}
	g.good++
	g.batch.Samples = append(g.batch.Samples, d.pixels.Samples...)
	g.batch.Data = append(g.batch.Data, d.pixels.Data...)
	g.batch.Shape[0] = int64(g.good)
	if d.pixels.Recycle != nil {
		d.pixels.Recycle()
	}
}

// predict returns the outcomes and empties the group.
func (g *group) predict(ctx context.Context, p Predictor) ([]Outcome, error) {
	outcomes := g.outcomes
	if g.good > 0 {
		batch := g.batch
		batch.Recycle = func() { g.spare = batch.Data }
		predictions, err := p.Predict(ctx, batch)
		if err != nil {
			return nil, err
		}
		for i := range outcomes {
			if outcomes[i].Err == nil {
				outcomes[i].Prediction, predictions = predictions[0], predictions[1:]
			}
		}
	}
	g.outcomes, g.good, g.batch = nil, 0, Batch{}
	return outcomes, nil
}
