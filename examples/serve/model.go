package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// model is an ONNX file of tftl. Only one goroutine may run it at a time.
type model struct {
	session *ort.DynamicAdvancedSession
	outputs []string // in the order of the session's results
	labels  []string
	input   input
	decision
}

// openModel loads the runtime and the model, and runs the model once.
func openModel(path, library string, threads int) (*model, error) {
	for _, file := range []string{library, path} {
		if info, err := os.Stat(file); err != nil {
			return nil, err
		} else if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a file", file)
		}
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return nil, fmt.Errorf("%s cannot be used, which must be onnxruntime 1.24 or later: %s", library, line(err))
	}
	m := &model{}
	if err := m.open(path, threads); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %s", path, line(err)), m.close())
	}
	return m, nil
}

func (m *model) open(path string, threads int) error {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer free(options)
	_, outputs, err := ort.GetInputOutputInfo(path)
	if err != nil {
		return err
	}
	for _, o := range outputs {
		if o.Name == "probabilities" || o.Name == "logits" || o.Name == "novelty" {
			m.outputs = append(m.outputs, o.Name)
		}
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(threads), options.SetInterOpNumThreads(1),
		options.SetMemPattern(false),                                          // of one shape of input, and batches differ in size
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"), // decoding needs the processors too
	)
	if err != nil {
		return err
	}
	if m.session, err = ort.NewDynamicAdvancedSession(path, []string{"images"}, m.outputs, options); err != nil {
		return err
	}
	if err := m.describe(); err != nil {
		return err
	}
	blank := newTensor(m.input.Size[0], m.input.Size[1])
	first, err := m.run([]tensor{blank})
	if err == nil && len(first[0].probabilities) != len(m.labels) {
		err = fmt.Errorf("it has %d outputs for %d labels", len(first[0].probabilities), len(m.labels))
	}
	return err
}

// describe reads what scripts/convert.py wrote beside the graph.
func (m *model) describe() error {
	metadata, err := m.session.GetModelMetadata()
	if err != nil {
		return err
	}
	defer free(metadata)
	read := func(key string, into any, required bool) error {
		text, found, err := metadata.LookupCustomMetadataMap(key)
		switch {
		case err != nil:
			return err
		case !found && required:
			return fmt.Errorf("its metadata has no %q: it is not a model that scripts/convert.py of tftl wrote", key)
		case !found:
			return nil
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return fmt.Errorf("%q in its metadata: %w", key, err)
		}
		return nil
	}
	if err := errors.Join(read("labels", &m.labels, true), read("input", &m.input, true), read("decision", &m.decision, false)); err != nil {
		return err
	}
	height, width := m.input.Size[0], m.input.Size[1]
	switch {
	case height < 1 || width < 1 || height > 1<<14 || width > 1<<14:
		return fmt.Errorf("its images have %d x %d pixels", height, width)
	case len(m.labels) == 0:
		return errors.New("it has no labels")
	case !slices.Contains(m.outputs, "probabilities") || !slices.Contains(m.outputs, "logits"):
		return errors.New("it lacks the output probabilities or logits")
	case m.Novelty > 0 && !slices.Contains(m.outputs, "novelty"):
		return errors.New("its decision is about novelty, which the model does not compute: convert it again")
	}
	return nil
}

// run predicts for images that all have one size.
func (m *model) run(images []tensor) (predictions []prediction, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("onnxruntime: %v", fault)
		}
	}()
	data, size := images[0].data, len(images[0].data)
	if len(images) > 1 {
		data = make([]float32, 0, len(images)*size)
		for _, image := range images {
			data = append(data, image.data...)
		}
	}
	in, err := ort.NewTensor(ort.NewShape(int64(len(images)), int64(images[0].height), int64(images[0].width), 3), data)
	if err != nil {
		return nil, err
	}
	defer free(in)
	results := make([]ort.Value, len(m.outputs)) // which the runtime allocates
	defer func() {
		for _, r := range results {
			if r != nil {
				free(r)
			}
		}
	}()
	if err := m.session.Run([]ort.Value{in}, results); err != nil {
		return nil, err
	}
	predictions = make([]prediction, len(images))
	for i, r := range results {
		values, ok := r.(*ort.Tensor[float32])
		if !ok || len(values.GetData())%len(images) != 0 {
			return nil, fmt.Errorf("its output %s is %T of shape %v", m.outputs[i], r, r.GetShape())
		}
		each := len(values.GetData()) / len(images)
		for k := range predictions {
			row := slices.Clone(values.GetData()[k*each : (k+1)*each])
			switch p := &predictions[k]; m.outputs[i] {
			case "probabilities":
				p.probabilities = row
			case "logits":
				p.logits = row
			case "novelty":
				p.novelty = row[0]
			}
		}
	}
	return predictions, nil
}

func (m *model) close() error {
	if m.session != nil {
		if err := m.session.Destroy(); err != nil {
			return err
		}
	}
	return ort.DestroyEnvironment()
}

// line is an error of the runtime in one line, without what is not printable.
func line(err error) string {
	quoted := strconv.Quote(strings.Join(strings.Fields(err.Error()), " "))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// free gives memory back to the runtime. It fails only for what was freed before.
func free(v interface{ Destroy() error }) { _ = v.Destroy() }
