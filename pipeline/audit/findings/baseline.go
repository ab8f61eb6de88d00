package findings

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tftl/pipeline/audit"
)

// Key is what makes a finding the same one in the next audit. It has no score and no
// word of the model's, so it survives another processor and another model that finds
// the same.
type Key struct {
	Image  string
	Kind   audit.Kind
	Leak   bool
	Others string // of copies: their names, sorted
}

// KeyOf returns the key of a finding.
func KeyOf(f audit.Finding) Key {
	k := Key{Image: f.Image, Kind: f.Kind}
	if f.Kind.Copies() {
		k.Leak, k.Others = f.Leak, joined(slices.Sorted(slices.Values(f.Others)))
	}
	return k
}

// String says in a line what was found.
func (k Key) String() string {
	text := fmt.Sprintf("%s %s", k.Kind, k.Image)
	if k.Others != "" {
		text += " = " + k.Others
	}
	return text
}

// Fingerprint is a digest of the key.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %q", k.Image, k.Kind, k.Leak, k.Others))
	return hex.EncodeToString(sum[:16])
}

// Baseline is the findings that are known.
type Baseline map[Key]bool

// NewBaseline makes a baseline of all findings.
func NewBaseline(findings []audit.Finding) Baseline {
	b := Baseline{}
	for _, f := range findings {
		b[KeyOf(f)] = true
	}
	return b
}

// Accept says of each finding whether the baseline has it. gone are the entries of the
// baseline that were not found again, sorted.
func (b Baseline) Accept(findings []audit.Finding) (rows []Row, gone []Key) {
	left := Baseline{}
	for k := range b {
		left[k] = true
	}
	for _, f := range findings {
		k := KeyOf(f)
		rows = append(rows, Row{Finding: f, Accepted: b[k]})
		delete(left, k)
	}
	return rows, left.keys()
}

// keys are the entries in the order of the file.
func (b Baseline) keys() []Key {
	var keys []Key
	for k := range b {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y Key) int {
		return slices.Compare(x.fields(), y.fields())
	})
	return keys
}

func (k Key) fields() []string { return []string{k.Image, string(k.Kind), yes(k.Leak), k.Others} }

func baselineColumns() []string { return []string{"image", "kind", "leak", "others"} }

// Write writes the baseline as CSV, a line per finding, sorted, so that a change of one
// finding changes one line.
func (b Baseline) Write(w io.Writer) error {
	keys := b.keys()
	return writeRows(w, baselineColumns(), len(keys), func(i int) []string { return keys[i].fields() })
}

// ReadBaseline reads what Write wrote. name is the file's, for errors. It also reads an
// audit.csv, whose findings are then all known.
func ReadBaseline(r io.Reader, name string) (Baseline, error) {
	b := Baseline{}
	err := readRows(r, name, baselineColumns(), func(value func(string) string) error {
		f := audit.Finding{Image: value("image"), Kind: audit.Kind(value("kind"))}
		if f.Image == "" {
			return errors.New("has no image")
		}
		if !audit.IsKind(string(f.Kind)) {
			return fmt.Errorf("kind %q: must be one of %s", f.Kind, kindList())
		}
		var err error
		if f.Leak, err = isYes(value("leak")); err != nil {
			return fmt.Errorf("leak %w", err)
		}
		if f.Others, err = split(value("others")); err != nil {
			return err
		}
		if f.Kind.Copies() && len(f.Others) == 0 {
			return fmt.Errorf("others is empty, but a %s is of another image", strings.ReplaceAll(string(f.Kind), "-", " "))
		}
		b[KeyOf(f)] = true
		return nil
	})
	return b, err
}
