package rundir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tftl/internal/atomicfile"
	"tftl/internal/printable"
	"tftl/internal/regular"
	"tftl/pipeline"
)

// errDamaged is in every error about a file that is not what tftl wrote.
var errDamaged = errors.New("is damaged")

// Damaged says whether an error is about a file that is not what tftl wrote.
func Damaged(err error) bool { return errors.Is(err, errDamaged) }

// Unreadable is the error of a command that cannot read a run: of kind BadModel,
// unless a file is damaged, which is nobody's model.
func Unreadable(err error) error {
	if err == nil || errors.Is(err, errDamaged) {
		return err
	}
	return pipeline.Errorf(pipeline.BadModel, "run: %w", err)
}

// seal is a file with the digests of others beside it, in the form of sha256sum.
// Who writes a sealed file writes its seal too, and who reads one compares them.
type seal map[string][]string // SHA-256 in hex by name; two while a file is replaced

// readSeal reads a seal, or nil if there is none.
func (d Dir) readSeal(name string) (seal, error) {
	text, err := d.readRegular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := seal{}
	for line := range bytes.Lines(text) {
		sum, file, ok := strings.Cut(string(line), "  ")
		file, whole := strings.CutSuffix(file, "\n")
		if raw, err := hex.DecodeString(sum); !ok || !whole || err != nil || len(raw) != sha256.Size {
			return nil, d.damaged(name, "it is no list of digests")
		}
		s[file] = append(s[file], sum)
	}
	return s, nil
}

func (d Dir) writeSeal(name string, s seal) error {
	var lines []string
	for file, sums := range s {
		for _, sum := range sums {
			lines = append(lines, sum+"  "+file+"\n")
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2*sha256.Size:], b[2*sha256.Size:]) })
	return atomicfile.WriteFile(d.File(name), []byte(strings.Join(lines, "")), 0o644)
}

// add adds the digests of files of a run, as far as they exist.
func (s seal) add(d Dir, names ...string) error {
	for _, name := range names {
		sum, err := d.digestOf(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		s[name] = []string{sum}
	}
	return nil
}

func (d Dir) digestOf(name string) (string, error) {
	file, err := d.openRegular(name)
	if err != nil {
		return "", err
	}
	sum, err := digestOf(file)
	return sum, errors.Join(err, file.Close())
}

func digestOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// sealed says whether the run has a seal, or had one: those of older versions have
// none.
func (d Dir) sealed() bool {
	if exists(d.File(runSeal)) {
		return true
	}
	var marked struct{ Sealed bool }
	data, err := os.ReadFile(d.File(configFile))
	return err == nil && json.Unmarshal(data, &marked) == nil && marked.Sealed
}

// open opens a file for reading, once it is known to be as it was written.
func (d Dir) open(name string) (*os.File, error) {
	kind := kindOf(name)
	for {
		s, err := d.readSeal(kind.seal)
		if err != nil {
			return nil, err
		}
		file, err := d.openWith(name, s, kind)
		if !errors.Is(err, errDamaged) {
			return file, err
		}
		// A process that trains may have changed both meanwhile.
		if now, again := d.readSeal(kind.seal); again != nil || slices.Equal(now[key(name)], s[key(name)]) {
			return nil, err
		}
	}
}

func (d Dir) openWith(name string, s seal, kind file) (*os.File, error) {
	want := s[key(name)]
	file, err := d.openRegular(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && want != nil && d.hasFolder(name):
		return nil, d.damaged(name, "it is missing")
	case err != nil:
		return nil, err
	case want == nil && (kind.grows || s == nil && !d.sealed()):
		return file, nil
	case s == nil:
		err = d.damaged(kind.seal, "it is missing")
	case want == nil:
		err = d.damaged(name, "it is not listed in "+kind.seal)
	default:
		sum, readErr := digestOf(file)
		if err = readErr; err == nil && !slices.Contains(want, sum) {
			err = d.damaged(name, "its digest is not that in "+kind.seal)
		}
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// key is the name of a file in its seal, which is beside it.
func key(name string) string { return strings.TrimPrefix(name, galleryDir+"/") }

// hasFolder says whether the folder is there that a file is in. A whole folder, like
// model, may be missing.
func (d Dir) hasFolder(name string) bool {
	first, _, nested := strings.Cut(name, "/")
	return !nested || exists(d.File(first))
}

// openRegular opens a file, and nothing else: opening a pipe would wait for a writer.
func (d Dir) openRegular(name string) (*os.File, error) {
	if info, err := os.Stat(d.File(name)); err == nil && !info.Mode().IsRegular() {
		return nil, d.damaged(name, "it is no regular file")
	}
	return regular.Open(d.File(name))
}

func (d Dir) readRegular(name string) ([]byte, error) {
	file, err := d.openRegular(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	return data, errors.Join(err, file.Close())
}

// readFile reads a file that is as it was written.
func (d Dir) readFile(name string) ([]byte, error) {
	file, err := d.open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	return data, errors.Join(err, file.Close())
}

// readJSON reads a document that is as it was written.
func (d Dir) readJSON(name string, into any) error {
	data, err := d.readFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", d.File(name), err)
	}
	return nil
}

// damaged is the error about a file, with what to do.
func (d Dir) damaged(name, why string) error {
	err := pipeline.Errorf(pipeline.Other, "%s %w: %s", d.File(name), errDamaged, why)
	if name == evaluationSeal || name == gallerySeal || kindOf(name).seal != runSeal {
		return d.evaluateAgain(err)
	}
	return pipeline.WithHint(err, "copy the run again from where it is whole, or train it again; tftl inspect %s %s lists what is damaged",
		printable.Argument(d.Path), pipeline.Option("verify"))
}

// sealNew seals the files that a run has from its beginning. Those that grow are
// sealed when nobody trains.
func (d Dir) sealNew() error {
	var config struct{ Sealed bool }
	if err := d.ReadJSON(configFile, &config); err != nil || !config.Sealed {
		return err
	}
	s := seal{}
	for _, f := range files() {
		if f.seal == runSeal && !f.grows {
			if err := s.add(d, f.pattern); err != nil {
				return err
			}
		}
	}
	return d.writeSeal(runSeal, s)
}

// Seal seals the files that grow while a run trains, once it does not.
func (d Dir) Seal() error {
	s, err := d.readSeal(runSeal)
	if s == nil || err != nil {
		return err
	}
	for _, name := range growing() {
		if err := d.sync(name); err != nil {
			return err
		}
	}
	if err := s.add(d, growing()...); err != nil {
		return err
	}
	return d.writeSeal(runSeal, s)
}

// sync puts a file on the disk. Those that only grow are written without waiting for it.
func (d Dir) sync(name string) error {
	file, err := d.openRegular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// checkGrowing checks the files that grow. Only seconds are lost with a damaged
// timing.jsonl, so that is a warning.
func (d Dir) checkGrowing() (warning pipeline.Message, err error) {
	for _, name := range growing() {
		file, err := d.open(name)
		switch {
		case err == nil:
			_ = file.Close()
		case name == timingFile && errors.Is(err, errDamaged):
			warning = pipeline.Messagef("%v; it begins again", err)
		case !errors.Is(err, fs.ErrNotExist):
			return warning, err
		}
	}
	return warning, nil
}

// unseal lets the files grow that do while a run trains.
func (d Dir) unseal() error {
	s, err := d.readSeal(runSeal)
	if s == nil || err != nil {
		return err
	}
	for _, name := range growing() {
		delete(s, name)
	}
	return d.writeSeal(runSeal, s)
}

func growing() (names []string) {
	for _, f := range files() {
		if f.grows {
			names = append(names, f.pattern)
		}
	}
	return names
}

// replace replaces a file of run.sha256. If the process is killed in between, both
// the old and the new one are accepted.
func (d Dir) replace(name string, data []byte) error {
	s, err := d.readSeal(runSeal)
	if err != nil {
		return err
	}
	if s == nil {
		return atomicfile.WriteFile(d.File(name), data, 0o644)
	}
	now := digest(data)
	s[name] = append(s[name], now)
	if err := d.writeSeal(runSeal, s); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(d.File(name), data, 0o644); err != nil {
		return err
	}
	s[name] = []string{now}
	return d.writeSeal(runSeal, s)
}

// SealEvaluation seals what an evaluation has written, with the images that it
// skipped if it skips any.
func (d Dir) SealEvaluation(skips bool) error {
	names := []string{evaluationFile, filepath.Base(d.PredictionsPath())}
	if skips {
		names = append(names, evaluationBadImagesFile)
	}
	s := seal{}
	if err := s.add(d, names...); err != nil {
		return err
	}
	return d.writeSeal(evaluationSeal, s)
}
