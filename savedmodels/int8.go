package savedmodels

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"tftl/internal/atomicfile"
	"tftl/internal/printable"
	"tftl/internal/tensor"
	"tftl/pipeline"
)

// The MetaGraph that computes the frozen parts in int8 has a signature for each
// stage, and signatureMeasure.
const (
	tagFeatures      = "features"
	tagInt8          = "int8"
	signatureMeasure = "measure"
	inputRanges      = "ranges"
)

// Int8Info says how the frozen parts are computed in int8.
type Int8Info struct {
	// Share is the part of the network's multiplications that can be done in int8.
	Share float64 `json:"share"`
	// Ranges are the largest values of the activations, as they were measured with
	// Photographs of them; none before they were.
	Ranges      []float32 `json:"ranges,omitempty"`
	Photographs int       `json:"photographs,omitempty"`
}

func (i Int8Info) check() error {
	for _, r := range i.Ranges {
		if !(r > 0) || math.IsInf(float64(r), 0) {
			return fmt.Errorf("int8: range %g: must be above 0", r)
		}
	}
	return nil
}

// int8 returns the MetaGraph of the frozen parts in int8, or nil.
func (m *Model) int8() *metaGraphDef { return metaGraph(m.saved, tagFeatures, tagInt8) }

// checkInt8 checks that the MetaGraph in int8 has every signature of the contract.
func (m *Model) checkInt8() error {
	def, d := m.int8(), m.Description
	if def == nil || d.Int8 == nil {
		return nil // which is as if it had none
	}
	have := signatures(def)
	images := Tensor{"images", "float32", []int64{-1, int64(d.Input.Size[0]), int64(d.Input.Size[1]), 3}}
	want := []Signature{{signatureMeasure, []Tensor{images}, []Tensor{{"largest", "float32", []int64{anySize}}}}}
	n := int64(len(d.Int8.Ranges))
	if n == 0 {
		n = anySize
	}
	for _, stage := range d.Stages {
		if !has(have, stage.Name) { // that of a stage that is cut at the images
			continue
		}
		features := Tensor{"features", "float32", append([]int64{-1}, stage.Features...)}
		outputs := []Tensor{features}
		if explainsFrom(signatures(metaGraph(m.saved, tagTrain, stage.Name))) == outputMaps {
			outputs = append(outputs, Tensor{outputMaps, "float32", []int64{-1, anySize, anySize, anySize}})
		}
		want = append(want, Signature{stage.Name, []Tensor{images, {inputRanges, "float32", []int64{n}}}, outputs})
	}
	return check(have, want)
}

// inInt8 says whether a stage's frozen part is to be computed in int8, and returns
// an error if it cannot be. A stage that is cut at the images has nothing to compute.
func (m *Model) inInt8(stage string) (bool, error) {
	if m.Runtime == nil || m.Runtime.Precision != Int8 {
		return false, nil
	}
	precision := pipeline.Option("precision")
	switch lacks := m.LacksForInt8(); {
	case lacks == notCalibrated:
		return false, pipeline.WithHint(m.notInInt8(lacks), "calibrate it once: tftl calibrate %s %s %s DATA %s DIR",
			pipeline.Option("model"), printable.Argument(m.Dir), pipeline.Option("data"), pipeline.Option("output"))
	case lacks != "":
		return false, pipeline.WithHint(m.notInInt8(lacks), "use %s auto", precision)
	}
	return has(signatures(m.int8()), stage), nil
}

const notCalibrated = "it is not calibrated"

// LacksForInt8 says what an exported network lacks for a frozen part in int8. It is
// empty if it has one that is calibrated.
func (m *Model) LacksForInt8() string {
	d := m.Description
	switch {
	case d == nil || d.Int8 == nil:
		return "it was exported without an int8 part"
	case m.int8() == nil:
		return fmt.Sprintf("TensorFlow's int8 operations reach %.0f%% of its multiplications", 100*d.Int8.Share)
	case len(d.Int8.Ranges) == 0:
		return notCalibrated
	}
	return ""
}

func (m *Model) notInInt8(why string) error {
	return pipeline.Errorf(pipeline.BadUsage, "%s int8: model %s: %s", pipeline.Option("precision"), m.Dir, why)
}

// otherWeights is the error for a stage in int8 whose frozen part was restored with
// other weights than those that were exported.
func (m *Model) otherWeights() error {
	return pipeline.WithHint(
		pipeline.Errorf(pipeline.BadUsage, "%s int8: the frozen part has other weights than those with which model %s was exported", pipeline.Option("precision"), m.Dir),
		"use %s auto", pipeline.Option("precision"))
}

// openInt8 opens a signature of the MetaGraph in int8. It has no variables.
func (m *Model) openInt8(r *Runtime, signature string) (*graph, error) {
	g, err := openPart(m.Dir, m.int8(), r, func(name string) bool { return name == signature }, false)
	if err != nil || r.trust {
		return g, err
	}
	if err := checkQuantized(g); err != nil {
		g.close()
		return nil, g.def.refused(m.Dir, err)
	}
	return g, nil
}

// openInt8 opens the frozen part in int8.
func (s *stage) openInt8() (*graph, error) {
	m := s.network
	g, err := m.openInt8(m.Runtime.inferring(), s.info.Name)
	if err != nil {
		return nil, err
	}
	g.ranges = m.Description.Int8.Ranges
	return g, nil
}

// Calibrate measures the ranges of activations with photographs, and writes a copy of
// the model with them into a folder, which is empty or does not exist. each calls use
// with batches of pixels, [N,H,W,3] from 0 to 255.
func (m *Model) Calibrate(ctx context.Context, to string, each func(use func(pipeline.Batch) error) error) error {
	if lacks := m.LacksForInt8(); lacks != "" && lacks != notCalibrated {
		return m.notInInt8(lacks)
	}
	g, err := m.openInt8(m.Runtime, signatureMeasure)
	if err != nil {
		return err
	}
	defer g.close()
	d := *m.Description
	d.Int8 = &Int8Info{Share: d.Int8.Share}
	err = each(func(b pipeline.Batch) error {
		images, err := tensor.Floats(b.Shape, b.Data)
		if err != nil {
			return err
		}
		if b.Recycle != nil {
			b.Recycle()
		}
		results, err := g.call(ctx, signatureMeasure, feeds{"images": images}, "largest")
		if err != nil {
			return err
		}
		defer tensor.Free(results...)
		return d.Int8.add(tensor.View(results[0]), len(b.Samples))
	})
	if err != nil {
		return err
	}
	for i, r := range d.Int8.Ranges {
		// No value may have no range: where all photographs give 0, others may not.
		d.Int8.Ranges[i] = max(r, 1e-3)
	}
	if d.Int8.Photographs == 0 {
		return pipeline.Errorf(pipeline.BadData, "there are no images to calibrate with")
	}
	if err := d.Int8.check(); err != nil {
		return pipeline.Errorf(pipeline.BadModel, "model %s: %w", m.Dir, err)
	}
	return m.copyTo(to, d)
}

// add takes account of the largest values in a batch.
func (i *Int8Info) add(values []float32, photographs int) error {
	if i.Ranges == nil {
		i.Ranges = make([]float32, len(values))
	}
	if len(values) != len(i.Ranges) {
		return pipeline.Errorf(pipeline.BadModel, "signature %q: returns %d ranges, and then %d", signatureMeasure, len(i.Ranges), len(values))
	}
	for k := range i.Ranges {
		i.Ranges[k] = max(i.Ranges[k], values[k]) // which keeps a NaN
	}
	i.Photographs += photographs
	return nil
}

// copyTo writes a copy of the model with another description, all or nothing. Its
// data is linked where the file system can.
func (m *Model) copyTo(dir string, d Description) error {
	files, err := sealed(m.Dir)
	if err != nil {
		return err
	}
	return atomicfile.ReplaceDir(dir, func(tmp string) error {
		for _, file := range files {
			if err := os.MkdirAll(filepath.Join(tmp, filepath.Dir(file)), 0o777); err != nil {
				return err
			}
			if file == descriptionFile {
				continue
			}
			if err := linkFile(filepath.Join(m.Dir, file), filepath.Join(tmp, file)); err != nil {
				return err
			}
		}
		return writeDescription(tmp, d)
	})
}

// linkFile makes path another name of a file, or a copy of it.
func linkFile(from, path string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	return link(file, path)
}
