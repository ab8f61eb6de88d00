package shard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"slices"
	"unicode/utf8"

	"tftl/internal/printable"
	"tftl/pipeline"
)

// format is the version of the files.
const format = 1

// maxLine is the most bytes of a line.
const maxLine = 16 << 20

// Header says what a shard's answers are.
type Header struct {
	Format int   `json:"tftl_shard"`
	Shard  Shard `json:"shard"`
	Block  int   `json:"block"` // consecutive images
	// What must be the same in all shards of a job: options by name, and other facts.
	Options map[string]string `json:"options"`
	Facts   map[string]string `json:"facts"`
	// Processor may differ, but then the last digits may.
	Processor string   `json:"processor"`
	Classes   []string `json:"classes"` // in the order of the outputs
	// Details are the same in all shards too. Only the command knows what they mean.
	Details json.RawMessage `json:"details,omitempty"`
}

// The facts that a reader looks at.
const (
	Command = "command" // Evaluate or Predict
	Model   = "model"   // its digest
)

// The commands that divide their images.
const (
	Evaluate = "evaluate"
	Predict  = "predict"
)

// Answer is what a model says of one image, before any decision.
type Answer struct {
	pipeline.Outcome
	Values []string // of the columns by which to measure
}

// answer is a line of a file.
type answer struct {
	ID            text      `json:"id"`
	Label         int       `json:"label"`
	Logits        []float32 `json:"logits,omitempty"`
	Probabilities []float32 `json:"probabilities,omitempty"` // missing if they are the softmax of the logits
	Novelty       float32   `json:"novelty,omitempty"`
	Values        []text    `json:"values,omitempty"`
	Error         text      `json:"error,omitempty"`
	Hint          text      `json:"hint,omitempty"`
}

// end is the line after the answers for a list of images.
type end struct {
	Images int    `json:"end"` // in the list, of all shards
	List   string `json:"list"`
	Last   bool   `json:"last"` // nothing follows
	SHA256 string `json:"sha256"`
}

// Writer writes a shard's file.
type Writer struct {
	w     io.Writer
	sum   hash.Hash
	spell pipeline.Spelling
}

// NewWriter writes a file that begins with a header. Hints name options as spell
// spells them.
func NewWriter(w io.Writer, h Header, spell pipeline.Spelling) (*Writer, error) {
	h.Format = format
	s := &Writer{w: w, sum: sha256.New(), spell: spell}
	return s, s.line(h)
}

// Add adds answers for the shard's next images.
func (w *Writer) Add(answers []Answer) error {
	var lines bytes.Buffer
	for _, a := range answers {
		line := answer{ID: text(a.Sample.ID), Label: a.Sample.Label}
		for _, value := range a.Values {
			line.Values = append(line.Values, text(value))
		}
		if a.Err != nil {
			line.Error, line.Hint = text(a.Err.Error()), text(pipeline.HintOf(a.Err).Text(w.spell))
		} else {
			line.Logits, line.Probabilities, line.Novelty = a.Logits, a.Probabilities, a.Novelty
			if a.Logits != nil && slices.Equal(pipeline.Softmax(a.Logits), a.Probabilities) {
				line.Probabilities = nil
			}
		}
		one, err := marshal(line)
		if err != nil {
			return pipeline.Errorf(pipeline.BadModel, "image %s: %w", a.Sample.ID, err)
		}
		lines.Write(one)
	}
	return w.write(lines.Bytes())
}

// End ends the answers for a list of images. Another list may follow unless it is the
// last.
func (w *Writer) End(l *List, last bool) error {
	return w.line(end{l.Len(), l.Digest(), last, hex.EncodeToString(w.sum.Sum(nil))})
}

func (w *Writer) line(v any) error {
	line, err := marshal(v)
	if err != nil {
		return err
	}
	return w.write(line)
}

func (w *Writer) write(lines []byte) error {
	w.sum.Write(lines)
	_, err := w.w.Write(lines)
	return err
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	if b.Len() > maxLine {
		return nil, fmt.Errorf("a line of a shard would have %d bytes, more than the limit of %d", b.Len(), maxLine)
	}
	return printable.JSON(b.Bytes()), nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Shard) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Shard) UnmarshalText(text []byte) (err error) {
	*s, err = Parse(string(text))
	return err
}

// text is a string that may have any bytes, as paths do. JSON has no such strings, so
// one that is not UTF-8 is an array of one string in base64.
type text string

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal([][]byte{[]byte(t)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '[' {
		return json.Unmarshal(data, (*string)(t))
	}
	var raw [1][]byte
	err := json.Unmarshal(data, &raw)
	*t = text(raw[0])
	return err
}
