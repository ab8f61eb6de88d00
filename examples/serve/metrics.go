package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// metrics are what GET /metrics shows, in Prometheus' text format.
type metrics struct {
	mutex    sync.Mutex
	requests map[int]int // by status code; 499: the client did not wait
	images   int         // that were predicted
	batches  histogram   // images in a batch
	seconds  histogram   // from a request to its answer
	waiting  func() (requests, images int)
	pixels   int64 // of the images that are being decoded and answered
}

func newMetrics(largestBatch int) *metrics {
	m := &metrics{requests: map[int]int{}}
	for size := 1; size < largestBatch; size *= 2 {
		m.batches.bounds = append(m.batches.bounds, float64(size))
	}
	m.batches.bounds = append(m.batches.bounds, float64(largestBatch))
	m.seconds.bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	m.batches.counts, m.seconds.counts = make([]int, len(m.batches.bounds)), make([]int, len(m.seconds.bounds))
	return m
}

func (m *metrics) answered(code int, took time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.requests[code]++
	m.seconds.add(took.Seconds())
}

func (m *metrics) batch(images int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.images += images
	m.batches.add(float64(images))
}

func (m *metrics) holds(pixels int64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.pixels += pixels
}

func (m *metrics) write(w io.Writer) {
	requests, images := m.waiting()
	m.mutex.Lock()
	defer m.mutex.Unlock()
	head := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	one := func(name, kind, help string, value int64) {
		head(name, kind, help)
		fmt.Fprintf(w, "%s %d\n", name, value)
	}
	head("serve_requests_total", "counter", "Requests for a prediction, by HTTP status; 499: the client did not wait.")
	for _, code := range slices.Sorted(maps.Keys(m.requests)) {
		fmt.Fprintf(w, "serve_requests_total{code=\"%d\"} %d\n", code, m.requests[code])
	}
	one("serve_images_total", "counter", "Images that the model predicted.", int64(m.images))
	one("serve_requests_in_flight", "gauge", "Requests that are not answered yet.", int64(requests))
	one("serve_queue_images", "gauge", "Images that wait for a batch.", int64(images))
	one("serve_pixels_in_flight", "gauge", "Pixels of the decoded images of these requests.", m.pixels)
	head("serve_batch_images", "histogram", "Images in a batch.")
	m.batches.write(w, "serve_batch_images")
	head("serve_request_seconds", "histogram", "Time from a request to its answer.")
	m.seconds.write(w, "serve_request_seconds")
}

// histogram counts values up to each bound.
type histogram struct {
	bounds []float64
	counts []int // of values up to the bound, but not up to the one before
	n      int
	sum    float64
}

func (h *histogram) add(v float64) {
	h.n++
	h.sum += v
	if i, _ := slices.BinarySearch(h.bounds, v); i < len(h.counts) {
		h.counts[i]++
	}
}

func (h *histogram) write(w io.Writer, name string) {
	below := 0
	for i, bound := range h.bounds {
		below += h.counts[i]
		fmt.Fprintf(w, "%s_bucket{le=\"%s\"} %d\n", name, strconv.FormatFloat(bound, 'g', -1, 64), below)
	}
	fmt.Fprintf(w, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %g\n%s_count %d\n", name, h.n, name, h.sum, name, h.n)
}
