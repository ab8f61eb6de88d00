package workflow

import (
	"context"
	"crypto/sha256"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
	"tftl/pipeline/contents"
	"tftl/pipeline/dataset"
	"tftl/pipeline/dataset/check"
	"tftl/pipeline/rundir"
)

// Digest is the SHA-256 of an image's bytes. Its zero value means unknown.
type Digest = [sha256.Size]byte

// Digests holds what a command has learnt of a data set's images, by their IDs:
// their digests, and which can be decoded. So each image is read only once. It is
// safe for concurrent use.
type Digests struct {
	// Contents has what earlier commands learnt, and keeps what this one learns. It
	// may be nil.
	Contents *contents.Table

	mu     sync.Mutex
	images map[string]int32 // indexes of seen
	seen   []seen
	bad    map[string]string // why an image cannot be used
}

// seen is what is known of an image.
type seen struct {
	digest  Digest
	key     contents.Key // of its file when it was read; zero if that is not to be remembered
	decoder uint32       // that decoded it; 0 if none did
	changed bool         // between two times that it was read: the key may be that of either
}

// Digests returns those that the runs of a batch share, or else new ones that know
// what earlier commands have learnt.
func (e Env) Digests() *Digests {
	if e.Shared != nil {
		return e.Shared
	}
	return &Digests{Contents: e.Contents}
}

// Remember keeps for later commands what was learnt of image files.
func (e Env) Remember() {
	if err := e.Contents.Save(); err != nil {
		e.Say("the next command reads the images again: %v", err)
	}
}

// Of returns the digest of an image. It is zero if the image has not been or
// cannot be read.
func (d *Digests) Of(id string) Digest { return d.of(id).digest }

func (d *Digests) of(id string) seen {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.images[id]; ok {
		return d.seen[at]
	}
	return seen{}
}

// set changes what is known of an image, and remembers it.
func (d *Digests) set(id string, change func(*seen)) {
	d.mu.Lock()
	if d.images == nil {
		d.images = map[string]int32{}
	}
	at, ok := d.images[id]
	if !ok {
		at = int32(len(d.seen))
		d.images[id], d.seen = at, append(d.seen, seen{})
	}
	was := d.seen[at]
	now := was
	change(&now)
	now.changed = was.changed || was.digest != (Digest{}) && now.digest != was.digest || was.key != (contents.Key{}) && now.key != was.key
	d.seen[at] = now
	d.mu.Unlock()
	if now.digest != (Digest{}) && !now.changed {
		d.Contents.Learn(now.key, contents.Known{Digest: now.digest, Decodes: now.decoder})
	}
}

// Recall takes what earlier commands learnt of files that have not changed. It
// reads no image.
func (d *Digests) Recall(ctx context.Context, part dataset.Part, workers int) error {
	if d.Contents == nil {
		return nil
	}
	return parallel(ctx, part.Len(), workers, nil, func(i int) {
		id := part.Sample(i).ID
		path, ok := part.Path(i)
		if !ok || d.Of(id) != (Digest{}) {
			return
		}
		key := d.Contents.KeyOf(path)
		if known, ok := d.Contents.Find(key); ok {
			d.set(id, func(s *seen) { s.digest, s.key, s.decoder = known.Digest, key, known.Decodes })
		}
	})
}

// Hash hashes the images of a part that are not known yet, workers at a time. An
// image that cannot be read stays unknown; reading it later gives the error.
func (d *Digests) Hash(ctx context.Context, part dataset.Part, workers int, progress pipeline.Progress) error {
	if err := d.Recall(ctx, part, workers); err != nil {
		return err
	}
	var unknown []int
	for i := range part.Len() {
		if d.Of(part.Sample(i).ID) == (Digest{}) {
			unknown = append(unknown, i)
		}
	}
	images := d.Hashed(part)
	return parallel(ctx, len(unknown), workers, progress, func(i int) { _, _ = images.Bytes(unknown[i]) })
}

// Read hashes image i of a part. The error says why it cannot be read.
func (d *Digests) Read(part dataset.Part, i int) (Digest, error) {
	_, err := d.Hashed(part).Bytes(i)
	return d.Of(part.Sample(i).ID), err
}

// Told takes the digest of an image that another process has read. It reports whether
// that agrees with what is known here.
func (d *Digests) Told(id string, digest Digest) bool {
	if known := d.Of(id); known != (Digest{}) || digest == (Digest{}) {
		return known == digest || digest == (Digest{})
	}
	d.set(id, func(s *seen) { s.digest = digest })
	return true
}

// Bad keeps why an image cannot be read or decoded.
func (d *Digests) Bad(s pipeline.Sample, err error) {
	why, _ := check.Reason(s, err)
	d.markBad(s.ID, why)
}

func (d *Digests) markBad(id, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad == nil {
		d.bad = map[string]string{}
	}
	d.bad[id] = why
}

func (d *Digests) whyBad(id string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bad[id]
}

// Take takes the digests of images that were read through Watch, and decoded if
// decoder is not empty: its version.
func (d *Digests) Take(images pipeline.Encoded, digest func(i int) Digest, decoder string) {
	for i := range images.Len() {
		sum, id := digest(i), images.Sample(i).ID
		if sum == (Digest{}) {
			continue
		}
		bad := d.whyBad(id) != ""
		d.set(id, func(s *seen) {
			s.digest = sum
			if decoder != "" && !bad {
				s.decoder = contents.Decoder(decoder)
			}
		})
	}
}

// Changed lists the images of a part that have changed since a run began. It
// finds none in old runs, which did not record contents.
func (d *Digests) Changed(ctx context.Context, run rundir.Dir, part dataset.Part, workers int, progress pipeline.Progress) ([]string, error) {
	was, err := run.ReadContents()
	if err != nil || was == nil {
		return nil, err
	}
	if err := d.Hash(ctx, part, workers, progress); err != nil {
		return nil, err
	}
	var changed []string
	for i := range part.Len() {
		id := part.Sample(i).ID
		if before, sum := was[id], d.Of(id); before != (Digest{}) && sum != (Digest{}) && before != sum {
			changed = append(changed, id)
		}
	}
	return changed, nil
}

// Watch returns images that note in which state a file is when it is read, so that
// what is learnt of it can be remembered.
func (d *Digests) Watch(images pipeline.Encoded) pipeline.Encoded {
	files, ok := images.(Files)
	if d.Contents == nil || !ok {
		return images
	}
	return watched{files, d}
}

type watched struct {
	Files
	digests *Digests
}

// Bytes reads an image. If its file changes meanwhile, that is not noted.
func (w watched) Bytes(i int) ([]byte, error) {
	path, ok := w.Path(i)
	if !ok {
		return w.Files.Bytes(i)
	}
	key := w.digests.Contents.KeyOf(path)
	encoded, err := w.Files.Bytes(i)
	if err == nil && key != (contents.Key{}) && w.digests.Contents.KeyOf(path) == key {
		w.digests.set(w.Sample(i).ID, func(s *seen) {
			if s.digest == (Digest{}) { // or it is known already
				s.key = key
			}
		})
	}
	return encoded, err
}

// Hashed returns images that are hashed when they are read.
func (d *Digests) Hashed(images pipeline.Encoded) pipeline.Encoded { return hashed{d.Watch(images), d} }

// Unhashed returns the images of Hashed without their hashing, for a reader that
// hashes them itself and gives the digests to Take. digests is nil for others.
func Unhashed(images pipeline.Encoded) (plain pipeline.Encoded, digests *Digests) {
	if h, ok := images.(hashed); ok {
		return h.Encoded, h.digests
	}
	return images, nil
}

type hashed struct {
	pipeline.Encoded
	digests *Digests
}

func (h hashed) Bytes(i int) ([]byte, error) {
	encoded, err := h.Encoded.Bytes(i)
	if err == nil {
		sum := sha256.Sum256(encoded)
		h.digests.set(h.Sample(i).ID, func(s *seen) { s.digest = sum })
	}
	return encoded, err
}

// parallel calls f for 0 to n-1, several at a time; 0 workers is one per processor.
func parallel(ctx context.Context, n, workers int, progress pipeline.Progress, f func(i int)) error {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	var group errgroup.Group
	group.SetLimit(workers)
	var mu sync.Mutex
	done := 0
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			f(i)
			if progress != nil {
				mu.Lock()
				defer mu.Unlock()
				done++
				progress(pipeline.Event{Phase: "read", Done: done, Total: n})
			}
			return nil
		})
	}
	_ = group.Wait()
	return ctx.Err()
}
