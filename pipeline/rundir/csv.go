package rundir

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"tftl/internal/atomicfile"
	"tftl/internal/csvrows"
	"tftl/pipeline"
)

// WriteData writes data.csv: the class and the part of every image.
func (d Dir) WriteData(images iter.Seq[pipeline.Recorded]) error {
	return d.writeCSV(dataFile, dataColumns(), func(row func(...string)) {
		for image := range images {
			row(image.ID, image.Class, image.Part)
		}
	})
}

// ReadData reads data.csv.
func (d Dir) ReadData() (images []pipeline.Recorded, err error) {
	parts := pipeline.Parts()
	err = d.readCSV(dataFile, dataColumns(), func(row []string) error {
		if !slices.Contains(parts[:], row[2]) {
			return fmt.Errorf("split %q: must be %s", row[2], strings.Join(parts[:], ", "))
		}
		images = append(images, pipeline.Recorded{ID: row[0], Class: row[1], Part: row[2]})
		return nil
	})
	return images, err
}

func dataColumns() []string { return []string{"path", "label", "split"} }

// Content is what an image was when the run began.
type Content struct {
	ID     string
	SHA256 [sha256.Size]byte // zero if it could not be read
}

// WriteContents writes contents.csv. It leaves out images without a digest.
func (d Dir) WriteContents(images iter.Seq[Content]) error {
	return d.writeCSV(contentsFile, contentsColumns(), func(row func(...string)) {
		for image := range images {
			if image.SHA256 != [sha256.Size]byte{} {
				row(image.ID, hex.EncodeToString(image.SHA256[:]))
			}
		}
	})
}

// ReadContents reads contents.csv: the SHA-256 of each image by ID. It is nil for an
// older run, which has no such file.
func (d Dir) ReadContents() (map[string][sha256.Size]byte, error) {
	digests := map[string][sha256.Size]byte{}
	err := d.readCSV(contentsFile, contentsColumns(), func(row []string) error {
		sum, err := hex.DecodeString(row[1])
		if err != nil || len(sum) != sha256.Size {
			return fmt.Errorf("sha256 %q: must be %d hexadecimal digits", row[1], 2*sha256.Size)
		}
		digests[strings.Clone(row[0])] = [sha256.Size]byte(sum) // row is one text
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return digests, err
}

func contentsColumns() []string { return []string{"path", "sha256"} }

// BadImage is an image that was skipped because it cannot be read or decoded.
type BadImage struct {
	ID     string
	Class  string // empty if the data has no labels
	Part   string
	Reason string
}

// BadImagesPath is the path of bad-images.csv.
func (d Dir) BadImagesPath() string { return d.File(badImagesFile) }

// WriteBadImages writes bad-images.csv, the images that training skipped. Call
// it even if there are none: it replaces an older list.
func (d Dir) WriteBadImages(images []BadImage) error { return d.writeBad(badImagesFile, images) }

// ReadBadImages reads bad-images.csv. A run that was not asked to skip images
// has none.
func (d Dir) ReadBadImages() ([]BadImage, error) { return d.readBad(badImagesFile) }

// WriteExcluded writes excluded.csv, the images that were left out because of an audit's
// findings. The reason is the kind of finding.
func (d Dir) WriteExcluded(images []BadImage) error { return d.writeBad(excludedFile, images) }

// ReadExcluded reads excluded.csv. A run that was not asked to leave out any has none.
func (d Dir) ReadExcluded() ([]BadImage, error) { return d.readBad(excludedFile) }

// WriteEvaluationBadImages writes evaluation-bad-images.csv, the images that
// the evaluation skipped.
func (d Dir) WriteEvaluationBadImages(images []BadImage) error {
	return d.writeBad(evaluationBadImagesFile, images)
}

// ReadEvaluationBadImages reads evaluation-bad-images.csv.
func (d Dir) ReadEvaluationBadImages() ([]BadImage, error) { return d.readBad(evaluationBadImagesFile) }

func (d Dir) writeBad(name string, images []BadImage) error {
	return d.writeCSV(name, badColumns(), func(row func(...string)) {
		for _, b := range images {
			row(b.ID, b.Class, b.Part, b.Reason)
		}
	})
}

func (d Dir) readBad(name string) (images []BadImage, err error) {
	err = d.readCSV(name, badColumns(), func(row []string) error {
		images = append(images, BadImage{ID: row[0], Class: row[1], Part: row[2], Reason: row[3]})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return images, err
}

func badColumns() []string { return append(dataColumns(), "reason") }

// WriteLabels writes labels.txt, the classes in the order of the outputs.
func (d Dir) WriteLabels(classes []string) error {
	for _, c := range classes {
		if strings.ContainsAny(c, "\r\n") {
			return pipeline.Errorf(pipeline.BadData, "class %q: a class name must not contain a line break", c)
		}
	}
	return atomicfile.WriteFile(d.File(labelsFile), []byte(strings.Join(classes, "\n")+"\n"), 0o644)
}

// ReadLabels reads labels.txt as it was written. Older runs may have names that
// are not in Unicode's normal form C.
func (d Dir) ReadLabels() ([]string, error) {
	text, err := d.readFile(labelsFile)
	if errors.Is(err, errDamaged) {
		return nil, err
	}
	if err != nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "%w", err)
	}
	classes := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(classes) < 2 {
		return nil, pipeline.Errorf(pipeline.BadModel, "%s: fewer than two classes", d.File(labelsFile))
	}
	return classes, nil
}

// writeCSV writes a file with the rows that fill passes to row.
func (d Dir) writeCSV(name string, columns []string, fill func(row func(...string))) error {
	return atomicfile.Write(d.File(name), func(w io.Writer) error {
		out := csv.NewWriter(w)
		row := func(fields ...string) {
			for i, field := range fields { // for those who open the file in a spreadsheet
				fields[i] = csvrows.Inert(field)
			}
			_ = out.Write(fields) // Error returns it
		}
		row(columns...)
		fill(row)
		out.Flush()
		return out.Error()
	})
}

// maxRow is the most bytes of a row: three names and the text of an error.
const maxRow = 1 << 20

// readCSV calls row for each row of a file. An error names the file and the line.
func (d Dir) readCSV(name string, columns []string, row func([]string) error) error {
	file, err := d.open(name)
	if errors.Is(err, errDamaged) {
		return err
	}
	if err != nil {
		return pipeline.Errorf(pipeline.BadModel, "%w", err)
	}
	defer file.Close()
	in := csvrows.NewReader(file, maxRow)
	in.FieldsPerRecord = len(columns)
	for first := true; ; first = false {
		fields, err := in.Read()
		line := 1
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF) && !first:
			return nil
		case errors.As(err, &wrong):
			line, err = wrong.Line, wrong.Err
		case first && !slices.Equal(fields, columns):
			err = fmt.Errorf("must be %s", strings.Join(columns, ","))
		case err == nil && !first:
			line, _ = in.FieldPos(0)
			for i, field := range fields {
				fields[i] = csvrows.Plain(field)
			}
			err = row(fields)
		}
		if err != nil {
			return pipeline.Errorf(pipeline.BadModel, "%s:%d: %w", file.Name(), line, err)
		}
	}
}
