package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// limits bound what requests may ask for, each and together.
type limits struct {
	bytes    int64         // of a body
	pixels   int64         // of an image
	together int64         // pixels of all images that are decoded at a time
	requests int           // at a time
	body     time.Duration // from the end of the header to that of the body
	answer   time.Duration // from the end of a body to its answer
}

// What becomes of requests while the service ends.
const (
	serving  = iota
	draining // requests are answered, but no new ones are wanted
	stopping // requests are refused
)

// gone is the status that metrics have for a client that did not wait for its answer.
const gone = 499

// server answers HTTP requests. The model is reached through the batcher alone.
type server struct {
	labels   []string
	input    input
	decision decision
	batcher  *batcher
	limits   limits
	slots    chan struct{}       // one for each request
	room     *semaphore.Weighted // for the pixels of decoded images
	metrics  *metrics
	state    atomic.Int32
}

func newServer(m *model, b *batcher, l limits) *server {
	s := &server{
		labels: m.labels, input: m.input, decision: m.decision, batcher: b, limits: l,
		slots: make(chan struct{}, l.requests), room: semaphore.NewWeighted(l.together), metrics: newMetrics(b.most),
	}
	s.metrics.waiting = func() (requests, images int) { return len(s.slots), len(b.jobs) }
	b.sent = s.metrics.batch
	return s
}

// ServeHTTP answers every request, and every error in JSON.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The server's ReadTimeout would begin with the connection, which may have waited for its
	// first request. Where the body is not wanted, the server reads it all the same.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.limits.body))
	if s.state.Load() != serving {
		w.Header().Set("Connection", "close") // the next request is for another replica
	}
	method, handle := http.MethodGet, s.missing
	switch r.URL.Path {
	case "/v1/predict":
		method, handle = http.MethodPost, s.predict
	case "/healthz":
		handle = func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, map[string]string{"status": "ok"})
		}
	case "/readyz":
		handle = s.ready
	case "/metrics":
		handle = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			s.metrics.write(w)
		}
	default:
		method = r.Method
	}
	if r.Method != method && !(r.Method == http.MethodHead && method == http.MethodGet) {
		w.Header().Set("Allow", method)
		fail(w, refuse(http.StatusMethodNotAllowed, "%s takes %s, not %s", r.URL.Path, method, r.Method))
		return
	}
	handle(w, r)
}

func (s *server) missing(w http.ResponseWriter, r *http.Request) {
	fail(w, refuse(http.StatusNotFound, "there is no %s: POST images to /v1/predict", r.URL.Path))
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.state.Load() != serving {
		fail(w, refuse(http.StatusServiceUnavailable, "shutting down"))
		return
	}
	reply(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (s *server) predict(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	found, err := s.answer(w, r)
	if err != nil {
		s.metrics.answered(fail(w, err), time.Since(began))
		return
	}
	s.metrics.answered(reply(w, http.StatusOK, found), time.Since(began))
}

// answer reads an image and predicts.
func (s *server) answer(w http.ResponseWriter, r *http.Request) (a answer, err error) {
	top, err := topOf(r)
	if err != nil {
		return a, err
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return a, refuse(http.StatusServiceUnavailable, "too many requests at a time: the limit is %d", s.limits.requests)
	}
	if s.state.Load() == stopping {
		return a, refuse(http.StatusServiceUnavailable, "shutting down")
	}
	encoded, err := s.body(w, r)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.answer)
	defer cancel()
	p, err := s.predictImage(ctx, encoded)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return a, refuse(http.StatusServiceUnavailable, "no answer within %v: too much to do", s.limits.answer)
	case errors.Is(err, context.Canceled):
		return a, refuse(gone, "the client did not wait")
	case err != nil:
		return a, err
	}
	return s.decision.answer(p, s.labels, top), nil
}

// predictImage decodes an image when there is room for its pixels. They are held until
// the image has been shrunk, or if the model does that, until it is answered.
func (s *server) predictImage(ctx context.Context, encoded []byte) (prediction, error) {
	size, err := measure(encoded)
	if err != nil {
		return prediction{}, err
	}
	pixels := int64(size.Width) * int64(size.Height) // of the format's sizes no overflow
	if int64(size.Width) > s.limits.pixels || pixels > s.limits.pixels {
		return prediction{}, refuse(http.StatusRequestEntityTooLarge, "the image has %d x %d pixels: the limit is %d", size.Width, size.Height, s.limits.pixels)
	}
	if err := s.room.Acquire(ctx, pixels); err != nil {
		return prediction{}, err
	}
	s.metrics.holds(pixels)
	release := func() {
		s.room.Release(pixels)
		s.metrics.holds(-pixels)
	}
	image, err := func() (tensor, error) {
		p, err := decode(encoded)
		if err != nil {
			return tensor{}, err
		}
		return s.input.pixels(p), nil
	}()
	if err == nil && s.input.resizedByModel() {
		defer release()
	} else {
		release()
	}
	if err != nil {
		return prediction{}, err
	}
	return s.batcher.predict(ctx, image)
}

// body reads what was sent, up to the limit.
func (s *server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	encoded, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.limits.bytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", s.limits.bytes)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, "the body came too slowly")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body ends early: %v", err)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the model may take longer
	return encoded, nil
}

// topOf reads how many classes were asked for; 0 means all.
func topOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("top")
	if text == "" {
		return 0, nil
	}
	top, err := strconv.Atoi(text)
	if err != nil || top < 1 {
		return 0, refuse(http.StatusBadRequest, "top=%q: must be a number from 1", text)
	}
	return top, nil
}

// fail answers with an error and returns its status.
func fail(w http.ResponseWriter, err error) int {
	var r refusal
	if !errors.As(err, &r) {
		log.Printf("error: %s", line(err))
		r = refusal{http.StatusInternalServerError, "the model could not be run"}
	}
	if r.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	return reply(w, r.status, map[string]string{"error": r.reason})
}

// reply answers with a document in JSON and returns the status.
func reply(w http.ResponseWriter, status int, document any) int {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil { // a probability that is not a number
		return fail(w, fmt.Errorf("the model's answer: %w", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // to a client that may have gone
	return status
}
