package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// fake is a service whose model is a function.
type fake struct {
	*server
	url     string
	batches chan int // the images of each batch that began
	next    chan error
}

// newFake starts a service of two classes. Each batch waits for what the test sends to next.
func newFake(t *testing.T, change func(*limits, *batcher, *model)) fake {
	f := fake{batches: make(chan int, 100), next: make(chan error, 100)}
	m := &model{labels: []string{"<cat>", "dog"}, input: input{Size: [2]int{4, 4}, Interpolation: "bilinear"}}
	l := limits{bytes: 10_000, pixels: 100, together: 200, requests: 4, body: time.Minute, answer: time.Minute}
	b := &batcher{most: 3, wait: 50 * time.Millisecond}
	b.run = func(images []tensor) ([]prediction, error) {
		f.batches <- len(images)
		err := <-f.next
		list := make([]prediction, len(images))
		for i, image := range images {
			p := image.data[0] / 255
			list[i] = prediction{probabilities: []float32{1 - p, p}, logits: []float32{0, 0}}
		}
		return list, err
	}
	if change != nil {
		change(&l, b, m)
	}
	b.jobs = make(chan *job, l.requests)
	f.server = newServer(m, b, l)
	go b.work()
	h := httptest.NewServer(f)
	f.url = h.URL
	t.Cleanup(func() { h.Close(); close(b.jobs) })
	return f
}

// picturePNG is a PNG of one colour.
func picturePNG(t *testing.T, width, height int, level uint8) []byte {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = level
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type answered struct {
	status int
	body   string
	header http.Header
}

func (f fake) send(t *testing.T, method, path string, body []byte) answered {
	request, err := http.NewRequest(method, f.url+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return answered{}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return answered{}
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return answered{response.StatusCode, strings.TrimSuffix(string(text), "\n"), response.Header}
}

func TestAnswersInJSON(t *testing.T) {
	f := newFake(t, nil)
	f.next <- nil
	got := f.send(t, "POST", "/v1/predict", picturePNG(t, 10, 10, 51))
	if want := `{"predicted":"<cat>","probability":0.8,"probabilities":{"<cat>":0.8,"dog":0.2}}`; got.status != 200 || got.body != want || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v instead of %s", got, want)
	}
	f.next <- nil
	got = f.send(t, "POST", "/v1/predict?top=5", picturePNG(t, 3, 7, 204))
	if want := `{"predicted":"dog","probability":0.8,"top":[{"class":"dog","probability":0.8},{"class":"<cat>","probability":0.19999999}]}`; got.body != want {
		t.Errorf("%v instead of %s", got, want)
	}
}

func TestWhatIsRefused(t *testing.T) {
	f := newFake(t, nil)
	good := picturePNG(t, 10, 10, 51)
	for _, c := range []struct {
		method, path string
		body         []byte
		status       int
		want         string
	}{
		{"POST", "/v1/predict", nil, 400, "the body is empty"},
		{"POST", "/v1/predict", []byte("text"), 400, "the body is not an image: send a JPEG or PNG"},
		{"POST", "/v1/predict", good[:len(good)-20], 400, "the image is damaged: "},
		{"POST", "/v1/predict", good[:20], 400, "the image is damaged: "},
		{"POST", "/v1/predict", []byte("\xff\xd8\xff"), 400, "the image is damaged: "},
		{"POST", "/v1/predict?top=0", good, 400, "must be a number from 1"},
		{"POST", "/v1/predict?top=x", good, 400, "must be a number from 1"},
		{"GET", "/v1/predict", nil, 405, "/v1/predict takes POST, not GET"},
		{"POST", "/healthz", nil, 405, "/healthz takes GET, not POST"},
		{"GET", "/", nil, 404, "there is no /"},
		{"POST", "/v1/predict", picturePNG(t, 11, 10, 0), 413, "the image has 11 x 10 pixels: the limit is 100"},
		{"POST", "/v1/predict", make([]byte, 10_001), 413, "the body has more than 10000 bytes"},
		{"POST", "/v1/predict", []byte("GIF89a"), 415, "this format is not supported: send a JPEG or PNG"},
		{"POST", "/v1/predict", []byte("RIFF....WEBP"), 415, "this format is not supported"},
		{"POST", "/v1/predict", []byte("\x00\x00\x00\x1cftypavif"), 415, "this format is not supported"},
		{"POST", "/v1/predict", []byte("\xff\xd8\xff\xc9\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"), 415, "this kind of image is not supported: "}, // arithmetic coding
	} {
		got := f.send(t, c.method, c.path, c.body)
		if got.status != c.status || !strings.HasPrefix(got.body, `{"error":"`) || !strings.Contains(got.body, c.want) {
			t.Errorf("%s %s %.20q: %v, want %d %s", c.method, c.path, c.body, got, c.status, c.want)
		}
	}
	metrics := f.send(t, "GET", "/metrics", nil).body + "\n"
	for _, line := range []string{`serve_requests_total{code="413"} 2`, `serve_requests_total{code="415"} 4`, "serve_images_total 0", "serve_pixels_in_flight 0", "serve_requests_in_flight 0"} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no %s in %s", line, metrics)
		}
	}
}

func TestImagesShareBatches(t *testing.T) {
	f := newFake(t, func(_ *limits, b *batcher, _ *model) { b.wait = time.Minute })
	done := make(chan answered, 3)
	for i := range 3 { // of three sizes
		go func() { done <- f.send(t, "POST", "/v1/predict", picturePNG(t, 5+i, 9, 51)) }()
	}
	if n := <-f.batches; n != 3 {
		t.Errorf("a batch of %d", n)
	}
	f.next <- nil
	for range 3 {
		if got := <-done; got.status != 200 {
			t.Error(got)
		}
	}
	metrics := f.send(t, "GET", "/metrics", nil).body + "\n"
	for _, line := range []string{`serve_requests_total{code="200"} 3`, "serve_images_total 3", `serve_batch_images_bucket{le="2"} 0`, `serve_batch_images_bucket{le="3"} 1`, "serve_batch_images_sum 3", "serve_request_seconds_count 3"} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no %s in %s", line, metrics)
		}
	}
}

// A model that resizes gets whole images, and only those of one size together.
func TestWholeImagesOfOneSizeShareBatches(t *testing.T) {
	f := newFake(t, func(_ *limits, b *batcher, m *model) { b.wait, m.input.Interpolation = time.Minute, "bicubic" })
	done := make(chan answered, 3)
	for i := range 3 {
		go func() { done <- f.send(t, "POST", "/v1/predict", picturePNG(t, 5+i%2, 9, 51)) }()
	}
	first := <-f.batches
	if metrics := f.send(t, "GET", "/metrics", nil).body; strings.Contains(metrics, "serve_pixels_in_flight 0\n") {
		t.Error("whole images that wait for the model are not counted")
	}
	f.next <- nil
	f.next <- nil
	if second := <-f.batches; first+second != 3 || first == 3 {
		t.Errorf("batches of %d and %d", first, second)
	}
	for range 3 {
		if got := <-done; got.status != 200 {
			t.Error(got)
		}
	}
}

func TestTooManyRequestsAreToldToComeAgain(t *testing.T) {
	f := newFake(t, func(l *limits, _ *batcher, _ *model) { l.requests = 1 })
	done := make(chan answered, 1)
	go func() { done <- f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)) }()
	<-f.batches // the model works on it
	got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51))
	if got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "too many requests at a time: the limit is 1") {
		t.Error(got)
	}
	f.next <- nil
	if got := <-done; got.status != 200 {
		t.Error(got)
	}
}

func TestWaitingEnds(t *testing.T) {
	f := newFake(t, func(l *limits, _ *batcher, _ *model) { l.answer = 50 * time.Millisecond })
	got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51))
	if got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "no answer within 50ms") {
		t.Error(got)
	}
	<-f.batches
	f.next <- nil
}

// Pixels of other requests are waited for, and given back.
func TestPixelsInFlightAreLimited(t *testing.T) {
	f := newFake(t, func(l *limits, _ *batcher, _ *model) { l.answer = 50 * time.Millisecond })
	if err := f.room.Acquire(context.Background(), 150); err != nil {
		t.Fatal(err)
	}
	if got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)); got.status != 503 {
		t.Error(got)
	}
	f.limits.answer = time.Minute
	f.room.Release(150)
	f.next <- nil
	if got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)); got.status != 200 {
		t.Error(got)
	}
	if !f.room.TryAcquire(200) {
		t.Error("pixels were not given back")
	}
}

func TestAClientThatLeavesIsNotPredictedFor(t *testing.T) {
	f := newFake(t, func(_ *limits, b *batcher, _ *model) { b.most = 1 })
	done := make(chan answered, 1)
	go func() { done <- f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)) }()
	<-f.batches // which keeps the model busy
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() {
		request, _ := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/v1/predict", bytes.NewReader(picturePNG(t, 9, 9, 51)))
		_, err := http.DefaultClient.Do(request)
		left <- err
	}()
	for len(f.batcher.jobs) == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for !strings.Contains(f.send(t, "GET", "/metrics", nil).body, `serve_requests_total{code="499"} 1`) {
		time.Sleep(time.Millisecond)
	}
	f.next <- nil
	f.next <- nil
	<-done
	if got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)); got.status != 200 {
		t.Error(got)
	}
	if n := len(f.batches); n != 1 {
		t.Errorf("%d batches, of which one is for the client that left", n)
	}
}

func TestFaultsOfTheModelAreNotShown(t *testing.T) {
	f := newFake(t, nil)
	f.next <- errors.New("secret")
	got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51))
	if got.status != 500 || got.body != `{"error":"the model could not be run"}` {
		t.Error(got)
	}
	nan := newFake(t, func(_ *limits, b *batcher, _ *model) {
		b.run = func([]tensor) ([]prediction, error) {
			return []prediction{{probabilities: []float32{float32(math.NaN()), 0}}}, nil
		}
	})
	if got := nan.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)); got.status != 500 || !strings.HasPrefix(got.body, `{"error":`) {
		t.Error(got)
	}
}

func TestReadinessWhileItStops(t *testing.T) {
	f := newFake(t, nil)
	if got := f.send(t, "GET", "/readyz", nil); got.status != 200 {
		t.Error(got)
	}
	f.state.Store(draining)
	if got := f.send(t, "GET", "/readyz", nil); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Error(got)
	}
	if got := f.send(t, "GET", "/healthz", nil); got.status != 200 {
		t.Error(got)
	}
	f.next <- nil
	if got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)); got.status != 200 {
		t.Error(got)
	}
	f.state.Store(stopping)
	if got := f.send(t, "POST", "/v1/predict", picturePNG(t, 9, 9, 51)); got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "shutting down") {
		t.Error(got)
	}
}
