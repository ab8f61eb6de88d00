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
	flag.Parse()
	row, err := run(*program, *model, *library, *photographs, *requests, *clients)
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

// tally counts what became of requests.
type tally struct{ right, refused, left, stopping, lost atomic.Int64 }

func run(program, model, library, photographs string, requests, clients int) (string, error) {
	images, err := photographsIn(photographs)
	if err != nil {
		return "", err
	}
	s, err := start(program, "-model", model, "-library", library, "-listen", "127.0.0.1:0",
		"-read-timeout", "1s", "-max-bytes", "1000000", "-drain", "1s", "-answer-timeout", "1m")
	if err != nil {
		return "", err
	}
	defer s.kill()
	c := client{s.address, images, newHTTP(clients)}
	for i := range c.images { // one at a time, which the answers under load must equal
		if c.images[i].want, err = c.ask(c.images[i].encoded); err != nil {
			return "", fmt.Errorf("%s: %w", c.images[i].path, err)
		}
	}
	var t tally
	var next atomic.Int64
	memory := make([]float64, 10) // the most of each tenth of the work
	var busy sync.WaitGroup
	began := time.Now()
	for range clients {
		busy.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= requests {
					return
				}
				t.count(c.request(i))
			}
		})
	}
	for done := 0; done < requests; done = int(next.Load()) {
		tenth := &memory[done*10/requests]
		*tenth = max(*tenth, s.memory())
		time.Sleep(10 * time.Millisecond)
	}
	busy.Wait()
	took := time.Since(began)
	t.stop(s, c, clients)
	stopped := s.wait(20 * time.Second)
	early, late := slices.Max(memory[:3]), slices.Max(memory[7:])
	row := fmt.Sprintf("| %d, %d at a time, in %.0f s | %d | %d | %d | %d | %d | %.0f to %.0f |", requests, clients, took.Seconds(),
		t.right.Load(), t.refused.Load(), t.left.Load(), t.stopping.Load(), t.lost.Load(), early, late)
	switch {
	case t.lost.Load() > 0:
		return row, fmt.Errorf("%d requests were lost", t.lost.Load())
	case late > early+mostGrowth:
		return row, errors.New("memory grew")
	}
	return row, stopped
}

// count says what became of a request.
func (t *tally) count(kind outcome, err error) {
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

// stop asks the service to stop while each client has a request in flight and begins
// others. All of them must be answered, because they come before the service stops to
// listen.
func (t *tally) stop(s *service, c client, clients int) {
	var busy sync.WaitGroup
	signalled := make(chan struct{})
	for i := range clients {
		busy.Go(func() {
			for last := false; !last; {
				select {
				case <-signalled:
					last = true // this one begins after the signal
				default:
				}
				if _, err := c.photograph(i); err != nil {
					t.count(lost, fmt.Errorf("while stopping: %w", err))
					return
				}
				t.stopping.Add(1)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	s.signal(syscall.SIGTERM)
	close(signalled)
	busy.Wait()
}

// photograph is an image and the answer to it.
type photograph struct {
	path    string
	encoded []byte
	want    answer
}

func photographsIn(folder string) (list []photograph, err error) {
	err = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".jpg" || entry.IsDir() {
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
