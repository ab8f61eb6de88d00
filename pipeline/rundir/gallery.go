package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tftl/internal/atomicfile"
)

// GalleryFile is the path of one of the gallery's files.
func (d Dir) GalleryFile(name string) string { return filepath.Join(d.Path, galleryDir, name) }

// maxPicture is the most bytes of a picture: thumbs have 20,000.
const maxPicture = 16 << 20

// ReadGalleryFile reads one of the gallery's pictures.
func (d Dir) ReadGalleryFile(name string) ([]byte, error) {
	if info, err := os.Stat(d.GalleryFile(name)); err == nil && info.Size() > maxPicture {
		return nil, fmt.Errorf("%s: has %d bytes, more than the limit of %d", d.GalleryFile(name), info.Size(), maxPicture)
	}
	return d.readFile(galleryDir + "/" + name)
}

// GalleryIndex is the path of gallery.json, which lists the gallery's images.
func (d Dir) GalleryIndex() string { return d.GalleryFile(galleryFile) }

// ReadGallery reads gallery.json.
func (d Dir) ReadGallery(into any) error { return d.readJSON(galleryDir+"/"+galleryFile, into) }

// WriteGallery writes gallery.json, and the seal of the gallery, into the folder that
// ReplaceGallery fills.
func WriteGallery(dir string, document any) error {
	d := Dir{dir}
	if err := d.WriteJSON(galleryFile, document); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	s := seal{}
	for _, e := range entries {
		if err := s.add(d, e.Name()); err != nil {
			return err
		}
	}
	return d.writeSeal(filepath.Base(gallerySeal), s)
}

// GalleryFiles lists the files that tftl wrote into the gallery, or returns an error if
// one of them is damaged or missing.
func (d Dir) GalleryFiles() ([]string, error) {
	s, err := d.readSeal(gallerySeal)
	if err != nil {
		return nil, err
	}
	names := []string{filepath.Base(gallerySeal)}
	for name := range s {
		file, err := d.open(galleryDir + "/" + name)
		if err != nil {
			return nil, err
		}
		_ = file.Close()
		names = append(names, name)
	}
	return names, nil
}

// ThumbName names the gallery's image number n, from 1.
func ThumbName(n int) string { return fmt.Sprintf("%02d.jpg", n) }

// HeatName names the heat map of the gallery's image number n.
func HeatName(n int) string { return fmt.Sprintf("%02d-heat.png", n) }

// ReplaceGallery replaces the gallery with what fill writes into an empty folder.
// Files that tftl did not write stay.
func (d Dir) ReplaceGallery(fill func(dir string) error) error {
	return atomicfile.ReplaceDirBut(d.File(galleryDir), fill, d.retireGallery)
}

func (d Dir) retireGallery(old string) error {
	entries, err := os.ReadDir(old)
	for _, e := range entries {
		if !ofGallery(e.Name()) {
			err = errors.Join(err, os.Rename(filepath.Join(old, e.Name()), d.GalleryFile(e.Name())))
		}
	}
	if err != nil {
		return err // without removing anything
	}
	return os.RemoveAll(old)
}

// SweepEvaluation removes what killed evaluations left behind. Call it with the
// evaluation locked.
func (d Dir) SweepEvaluation() error {
	err := atomicfile.RecoverDirBut(d.File(galleryDir), d.retireGallery)
	for _, path := range append(d.decisions(), d.ReportPage(), d.ReportBrief(), d.File(batchFile), d.File(evaluationSeal)) {
		err = errors.Join(err, atomicfile.Sweep(path))
	}
	for _, f := range files() {
		if f.seal == evaluationSeal {
			err = errors.Join(err, atomicfile.Sweep(d.File(f.pattern)))
		}
	}
	return err
}

// removeGallery removes what tftl wrote into a gallery, and the folder if it is
// then empty.
func removeGallery(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	others := 0
	for _, e := range entries {
		if !ofGallery(e.Name()) {
			others++
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
	}
	if err != nil || others > 0 {
		return err
	}
	return os.Remove(folder)
}

// ofGallery says whether a file in the gallery folder is removed with it.
func ofGallery(name string) bool { return isWritten(galleryDir+"/"+name) || systems(name) }
