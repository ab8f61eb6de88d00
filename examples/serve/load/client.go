package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"time"
)

// outcome is what became of a request.
type outcome int

const (
	lost    outcome = iota // no answer, or a wrong one
	right                  // the answer that the image has alone
	refused                // with the status that the fault should have
	left                   // the client did not wait
)

// answer is what matters of the service's.
type answer struct {
	Predicted   string  `json:"predicted"`
	Probability float64 `json:"probability"`
}

type client struct {
	address string
	images  []photograph
	most    int // bytes of an image, which is the service's limit
	http    *http.Client
}

// newHTTP gives up idle connections before the service does. Go opens some that it then
// does not need, and the service closes those when no header comes in time.
func newHTTP(clients int) *http.Client {
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: clients, IdleConnTimeout: 2 * time.Second}}
}

// request sends request number i, of which eight in twenty are not a photograph.
func (c client) request(i int) (outcome, error) {
	encoded := c.images[i%len(c.images)].encoded
	switch i % 20 {
	case 3, 13:
		return c.refused(http.MethodPost, encoded[:len(encoded)/2], http.StatusBadRequest)
	case 5:
		return c.refused(http.MethodPost, bomb(), http.StatusRequestEntityTooLarge)
	case 7:
		return c.refused(http.MethodPost, make([]byte, c.most+1), http.StatusRequestEntityTooLarge)
	case 9:
		return c.refused(http.MethodPut, encoded, http.StatusMethodNotAllowed)
	case 11:
		return c.refused(http.MethodPost, []byte("GIF89a, perhaps"), http.StatusUnsupportedMediaType)
	case 15:
		return c.leave(encoded)
	case 17:
		if i%40 == 17 {
			return c.slow("POST /v1/predict HTTP/1.1\r\nHost: slow\r\n", "X-Slow: a\r\n", "")
		}
		return c.slow("POST /v1/predict HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\n\xff\xd8\xff", "\x00", "HTTP/1.1 408 ")
	}
	return c.photograph(i)
}

// photograph sends a whole one.
func (c client) photograph(i int) (outcome, error) {
	image := c.images[i%len(c.images)]
	got, err := c.ask(image.encoded)
	if err == nil && (got.Predicted != image.want.Predicted || math.Abs(got.Probability-image.want.Probability) > tolerance) {
		err = fmt.Errorf("%v instead of %v", got, image.want)
	}
	if err != nil {
		return lost, fmt.Errorf("%s: %w", image.path, err)
	}
	return right, nil
}

func (c client) ask(encoded []byte) (got answer, err error) {
	body, status, err := c.send(http.MethodPost, encoded)
	switch {
	case err != nil:
		return got, err
	case status != http.StatusOK:
		return got, fmt.Errorf("status %d: %s", status, body)
	}
	return got, json.Unmarshal(body, &got)
}

func (c client) send(method string, encoded []byte) (body []byte, status int, err error) {
	request, err := http.NewRequest(method, "http://"+c.address+"/v1/predict", bytes.NewReader(encoded))
	if err != nil {
		return nil, 0, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return body, response.StatusCode, err
}

// refused sends a request that must get a status, and the reason in JSON.
func (c client) refused(method string, encoded []byte, want int) (outcome, error) {
	body, status, err := c.send(method, encoded)
	var reason struct{ Error string }
	if err == nil && (status != want || json.Unmarshal(body, &reason) != nil || reason.Error == "") {
		err = fmt.Errorf("status %d instead of %d: %s", status, want, body)
	}
	return refused, err
}

// leave sends a whole request and closes the connection.
func (c client) leave(encoded []byte) (outcome, error) {
	connection, err := net.Dial("tcp", c.address)
	if err != nil {
		return lost, err
	}
	defer connection.Close()
	_, err = fmt.Fprintf(connection, "POST /v1/predict HTTP/1.1\r\nHost: gone\r\nContent-Length: %d\r\n\r\n%s", len(encoded), encoded)
	return left, err
}

// slow sends the start of a request and then a little every 0.1 s. The service must end
// that soon, with an answer that starts as wanted.
func (c client) slow(start, more, want string) (outcome, error) {
	connection, err := net.Dial("tcp", c.address)
	if err != nil {
		return lost, err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(connection, start); err != nil {
		return lost, err
	}
	go func() { // until the connection is closed, by either side
		for {
			time.Sleep(100 * time.Millisecond)
			if _, err := io.WriteString(connection, more); err != nil {
				return
			}
		}
	}()
	var got [256]byte
	n, err := io.ReadAtLeast(connection, got[:], max(len(want), 1))
	closed := n == 0 && !errors.Is(err, os.ErrDeadlineExceeded)
	if want == "" && closed || want != "" && bytes.HasPrefix(got[:n], []byte(want)) {
		return refused, nil
	}
	return lost, fmt.Errorf("a slow client got %q, %v", got[:n], err)
}

// bomb is a PNG of a few bytes that declares 50,000 x 50,000 pixels.
func bomb() []byte {
	header := []byte("IHDR\x00\x00\xc3\x50\x00\x00\xc3\x50\x08\x02\x00\x00\x00")
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header))
}
