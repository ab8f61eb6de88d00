// Command load starts the service and sends it what a service meets: photographs from
// several clients at a time, and among them truncated images, bombs, bodies that are too
// large, wrong methods, slow clients, and clients that leave. In the end it asks the
// service to stop while requests are in flight. It prints a row of Markdown; the exit
// status is 1 if a request was lost or memory grew.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	program := flag.String("serve", "bin/serve", "start the `PROGRAM`")
	model := flag.String("model", "", "the service's ONNX `FILE`")
	library := flag.String("library", "", "the service's onnxruntime `FILE`")
	photographs := flag.String("photographs", "", "send the JPEGs in `DIR` and below it")
	requests := flag.Int("requests", 10_000, "send `N` requests")
	clients := flag.Int("clients", 32, "send `N` at a time")
	good := flag.Bool("good", false, "send whole photographs only, to measure the speed")
	flag.Parse()
	t := &test{requests: *requests, clients: *clients, good: *good}
	row, err := t.run(*photographs, *program, "-model", *model, "-library", *library)
	if row != "" {
		fmt.Println("| requests | right answers | refused as they should be | clients that left | while stopping | lost | MB |")
		fmt.Println("|---|---|---|---|---|---|---|")
		fmt.Println(row)
	}
	if err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

// tolerance is how much a probability may differ from that of the same image alone.
const tolerance = 1e-4

// mostGrowth is how many megabytes the last tenths of the work may need more than the first.
const mostGrowth = 24

// test is what is sent, and counts what became of it.
type test struct {
	requests, clients                    int
	good                                 bool
	right, refused, left, stopping, lost atomic.Int64
}

func (t *test) run(photographs string, command ...string) (string, error) {
	images, err := photographsIn(photographs)
	if err != nil {
		return "", err
	}
	c := client{images: images, http: newHTTP(t.clients)}
	for _, p := range images {
		c.most = max(c.most, len(p.encoded))
	}
	s, err := start(append(command, "-listen", "127.0.0.1:0", "-read-timeout", "5s",
		"-max-bytes", strconv.Itoa(c.most), "-drain", "3s", "-answer-timeout", "1m"))
	if err != nil {
		return "", err
	}
	defer s.kill()
	c.address = s.address
	for i := range c.images { // one at a time, which the answers under load must equal
		if c.images[i].want, err = c.ask(c.images[i].encoded); err != nil {
			return "", fmt.Errorf("%s: %w", c.images[i].path, err)
		}
	}
	t.together(4*t.clients, func(i int) { // after which the service has what memory it needs
		if _, err := c.photograph(i); err != nil {
			t.count(lost, err)
		}
	})
	memory := make([]float64, 10) // the most of each tenth of the work
	began, done := time.Now(), atomic.Int64{}
	ended := make(chan struct{})
	go func() {
		t.together(t.requests, func(i int) {
			if t.good {
				t.count(c.photograph(i))
			} else {
				t.count(c.request(i))
			}
			done.Add(1)
		})
		close(ended)
	}()
	for busy := true; busy; {
		tenth := &memory[min(int(done.Load())*10/t.requests, 9)]
		*tenth = max(*tenth, s.memory())
		select {
		case <-ended:
			busy = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	took := time.Since(began)
	t.stop(s, c)
	stopped := s.wait(20 * time.Second)
	early, late := slices.Max(memory[:3]), slices.Max(memory[7:])
	row := fmt.Sprintf("| %d, %d at a time, in %.1f s | %d | %d | %d | %d | %d | %.0f to %.0f |", t.requests, t.clients, took.Seconds(),
		t.right.Load(), t.refused.Load(), t.left.Load(), t.stopping.Load(), t.lost.Load(), early, late)
	switch {
	case t.lost.Load() > 0:
		return row, fmt.Errorf("%d requests were lost", t.lost.Load())
	case late > early+mostGrowth:
		return row, errors.New("memory grew")
	}
	return row, stopped
}

// together calls a function for each request, in as many goroutines as there are clients.
func (t *test) together(requests int, send func(i int)) {
	var next atomic.Int64
	var busy sync.WaitGroup
	for range t.clients {
		busy.Go(func() {
			for i := next.Add(1) - 1; i < int64(requests); i = next.Add(1) - 1 {
				send(int(i))
			}
		})
	}
	busy.Wait()
}

// count says what became of a request.
func (t *test) count(kind outcome, err error) {
	if err != nil {
		log.Print(err)
		kind = lost
	}
	switch kind {
	case right:
		t.right.Add(1)
	case refused:
		t.refused.Add(1)
	case left:
		t.left.Add(1)
	case lost:
		t.lost.Add(1)
	}
}

// stop asks the service to stop while each client has a request in flight. They must be
// answered, and so must those that begin afterwards, unless nobody listens any more.
func (t *test) stop(s *service, c client) {
	var signalled atomic.Bool
	time.AfterFunc(200*time.Millisecond, func() {
		signalled.Store(true)
		s.signal(syscall.SIGTERM)
	})
	t.together(t.clients, func(i int) {
		for last := false; !last; {
			last = signalled.Load()
			switch _, err := c.photograph(i); {
			case last && errors.Is(err, syscall.ECONNREFUSED):
			case err != nil:
				t.count(lost, fmt.Errorf("while stopping: %w", err))
			default:
				t.stopping.Add(1)
			}
		}
	})
}

// photograph is an image and the answer to it.
type photograph struct {
	path    string
	encoded []byte
	want    answer
}

func photographsIn(folder string) (list []photograph, err error) {
	err = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if extension := strings.ToLower(filepath.Ext(path)); err != nil || extension != ".jpg" && extension != ".jpeg" || entry.IsDir() {
			return err
		}
		encoded, err := os.ReadFile(path)
		list = append(list, photograph{path: path, encoded: encoded})
		return err
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("no JPEGs in %s", folder)
	}
	return list, err
}
