package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tftl/pipeline"
)

// sealedRun makes a run with seals, two epochs and three checkpoints.
func sealedRun(t *testing.T) Dir {
	t.Helper()
	images := []pipeline.Recorded{{ID: "a.jpg", Class: "cat", Part: "train"}, {ID: "b.jpg", Class: "dog", Part: "test"}}
	d, err := Create(filepath.Join(t.TempDir(), "run"), false, func(d Dir) error {
		return errors.Join(
			d.WriteLabels([]string{"cat", "dog"}), d.WriteData(slices.Values(images)),
			d.WriteContents(slices.Values([]Content{{"a.jpg", [32]byte{1}}, {"b.jpg", [32]byte{2}}})),
			d.WriteBadImages(nil), d.WriteTuning(&Tuning{Settings: make([]Trial, 2)}),
			d.WriteConfig(Config{Sealed: true, Seed: 7, Data: Data{Path: "/photos"}}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	epoch := func(n int) {
		check(t, d.Append(historyFile, pipeline.Epoch{Stage: "head", Epoch: n, Train: []pipeline.Metric{{Name: "loss", Value: 1 / float64(n)}}, Best: true}))
	}
	epoch(1)
	save(t, d, pipeline.Last, "one", at(1))
	epoch(2)
	save(t, d, pipeline.Best, "best", at(2))
	save(t, d, pipeline.Last, "two", at(2))
	if err := errors.Join(d.WriteTiming([]Timing{{Phase: EpochPhase, Epoch: 1}}), d.Seal()); err != nil {
		t.Fatal(err)
	}
	return d
}

// readers are what reads each sealed file of a run.
func readers(d Dir) map[string]func() error {
	return map[string]func() error{
		configFile:    func() error { _, err := d.ReadConfig(); return err },
		labelsFile:    func() error { _, err := d.ReadLabels(); return err },
		dataFile:      func() error { _, err := d.ReadData(); return err },
		contentsFile:  func() error { _, err := d.ReadContents(); return err },
		badImagesFile: func() error { _, err := d.ReadBadImages(); return err },
		tuneFile:      func() error { _, err := d.ReadTuning(); return err },
		historyFile:   func() error { _, err := d.ReadHistory(); return err },
		timingFile:    func() error { _, err := d.ReadTiming(); return err },
	}
}

// Each reader refuses its file if a bit of it is another, or if it was cut, extended,
// removed or taken from elsewhere, and accepts it again when it is put back.
func TestDamagedFilesAreRefused(t *testing.T) {
	d := sealedRun(t)
	for name, reader := range readers(d) {
		whole := []byte(read(t, d.File(name)))
		damaged := map[string][]byte{"extended": append(slices.Clone(whole), '\n'), "empty": {}, "cut": whole[:len(whole)/2], "another": []byte("path,label,split\n")}
		for i := 0; i < len(whole); i += 11 {
			flipped := slices.Clone(whole)
			flipped[i] ^= 1 << (i % 8)
			damaged[fmt.Sprint("byte ", i)] = flipped
		}
		for how, data := range damaged {
			if bytes.Equal(data, whole) {
				continue
			}
			write(t, d.File(name), string(data))
			if err := reader(); !errors.Is(err, errDamaged) || pipeline.KindOf(err) != pipeline.Other || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
		if err := os.Remove(d.File(name)); err != nil {
			t.Fatal(err)
		}
		if err := reader(); !errors.Is(err, errDamaged) {
			t.Errorf("%s is missing: %v", name, err)
		}
		write(t, d.File(name), string(whole))
		if err := reader(); err != nil {
			t.Errorf("%s is as it was: %v", name, err)
		}
	}
}

// Without its seal, or with another one, a run is refused and not taken for an older one.
func TestASealThatIsMissingIsNoticed(t *testing.T) {
	d := sealedRun(t)
	whole := read(t, d.File(runSeal))
	if err := os.Remove(d.File(runSeal)); err != nil {
		t.Fatal(err)
	}
	for name, reader := range readers(d) {
		if err := reader(); !errors.Is(err, errDamaged) && name != historyFile && name != timingFile {
			t.Errorf("%s without a seal: %v", name, err)
		}
	}
	for i := 0; i < len(whole); i += 7 {
		flipped := []byte(whole)
		flipped[i] ^= 1 << (i % 8)
		write(t, d.File(runSeal), string(flipped))
		_, _, _, err := d.Resume()
		_, configErr := d.ReadConfig()
		_, labelsErr := d.ReadLabels()
		if err = errors.Join(err, configErr, labelsErr); err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	write(t, d.File(runSeal), "")
	if _, err := d.ReadConfig(); !errors.Is(err, errDamaged) {
		t.Errorf("an empty seal: %v", err)
	}
	if !Is(d.Path) {
		t.Error("it is no run any more")
	}
}

// Older runs have no seals, and are read as they are.
func TestOlderRunsAreRead(t *testing.T) {
	d := create(t, filepath.Join(t.TempDir(), "run"))
	if err := errors.Join(d.WriteLabels([]string{"cat", "dog"}), d.Seal()); err != nil {
		t.Fatal(err)
	}
	write(t, d.File("checkpoints/last/state.json"), `{"state": {"epochs": 1, "step": 10}, "sha256": {}}`)
	train(t, d, 1)
	if state, history, warnings, err := d.Resume(); err != nil || state.Step != 10 || len(history) != 1 || len(warnings) > 0 {
		t.Errorf("%+v, %v, %v, %v", state, history, warnings, err)
	}
	if _, err := os.Stat(d.File(runSeal)); err == nil {
		t.Error("it has a seal now")
	}
	if sums, err := d.ReadContents(); err != nil || sums != nil {
		t.Errorf("contents: %v", err)
	}
}

// If the process is killed while config.json is replaced, the run has the old one or the
// new one.
func TestConfigIsReplacedWithItsSeal(t *testing.T) {
	d := sealedRun(t)
	old := read(t, d.File(configFile))
	moved := Config{Sealed: true, Seed: 7, Data: Data{Path: "/elsewhere"}}
	if err := d.WriteConfig(moved); err != nil {
		t.Fatal(err)
	}
	if c, err := d.ReadConfig(); err != nil || c.Data.Path != "/elsewhere" {
		t.Errorf("%+v, %v", c.Data, err)
	}
	now := read(t, d.File(configFile))
	write(t, d.File(configFile), old)
	if _, err := d.ReadConfig(); !errors.Is(err, errDamaged) {
		t.Errorf("the old one comes back: %v", err)
	}
	s, err := d.readSeal(runSeal)
	if err != nil {
		t.Fatal(err)
	}
	s[configFile] = append(s[configFile], digest([]byte(old))) // as before the last write
	if err := d.writeSeal(runSeal, s); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{old, now} {
		write(t, d.File(configFile), text)
		if _, err := d.ReadConfig(); err != nil {
			t.Error(err)
		}
	}
}

// No bit of a checkpoint changes unnoticed, and what it says is only believed of the
// history that it was written after.
func TestDamagedCheckpointsAreNoticed(t *testing.T) {
	d := sealedRun(t)
	for _, name := range []string{pipeline.Best, pipeline.Last} {
		for _, file := range []string{stateFile, "ckpt.index"} {
			path := filepath.Join(d.checkpoint(name), file)
			whole := read(t, path)
			for i := 0; i < len(whole); i += 7 {
				flipped := []byte(whole)
				flipped[i] ^= 1 << (i % 8)
				write(t, path, string(flipped))
				state, _, err := d.Verify(name)
				if err == nil && state.Epochs == 2 && state.Step == 20 {
					continue // white space
				}
				if !errors.Is(err, errDamaged) {
					t.Errorf("%s of %s, byte %d: %+v, %v", file, name, i, state, err)
				}
			}
			write(t, path, whole)
		}
	}
	// One checkpoint for another.
	for _, file := range []string{stateFile, "ckpt.index"} {
		write(t, filepath.Join(d.checkpoint(pipeline.Best), file), read(t, filepath.Join(d.checkpoint(pipeline.Last), file)))
	}
	if _, _, err := d.Verify(pipeline.Best); !errors.Is(err, errDamaged) {
		t.Errorf("the last checkpoint as the best one: %v", err)
	}
	if _, _, _, err := d.Resume(); !errors.Is(err, errDamaged) {
		t.Errorf("resumes with another best checkpoint: %v", err)
	}
}

func TestResumeOfADamagedRun(t *testing.T) {
	for name, test := range map[string]struct {
		damage  func(t *testing.T, d Dir)
		warning string // empty: it is refused
	}{
		"history":    {func(t *testing.T, d Dir) { edit(t, d.File(historyFile), "0.5", "0.4") }, ""},
		"no history": {func(t *testing.T, d Dir) { check(t, os.Remove(d.File(historyFile))) }, ""},
		"best":       {func(t *testing.T, d Dir) { write(t, d.Checkpoint(pipeline.Best)+".index", "bets") }, ""},
		"timing":     {func(t *testing.T, d Dir) { write(t, d.File(timingFile), "{}\n") }, "timing.jsonl is damaged"},
		"last":       {func(t *testing.T, d Dir) { write(t, d.Checkpoint(pipeline.Last)+".index", "tow") }, "continuing from the previous one"},
		"state": {func(t *testing.T, d Dir) {
			edit(t, filepath.Join(d.checkpoint(pipeline.Last), stateFile), `"step": 20`, `"step": 30`)
		}, "continuing from the previous one"},
		"no state": {func(t *testing.T, d Dir) { check(t, os.Remove(filepath.Join(d.checkpoint(pipeline.Last), stateFile))) }, "continuing from the previous one"},
		"unsealed state": {func(t *testing.T, d Dir) {
			edit(t, filepath.Join(d.checkpoint(pipeline.Last), stateFile), `"seal"`, `"lies"`)
		}, "continuing from the previous one"},
	} {
		t.Run(name, func(t *testing.T) {
			d := sealedRun(t)
			test.damage(t, d)
			before := read(t, d.File(runSeal))
			_, _, warnings, err := d.Resume()
			switch {
			case test.warning == "" && (!errors.Is(err, errDamaged) || read(t, d.File(runSeal)) != before):
				t.Errorf("%v, and the seal is as before: %v", err, read(t, d.File(runSeal)) == before)
			case test.warning != "" && (err != nil || !strings.Contains(fmt.Sprint(warnings), test.warning)):
				t.Errorf("%v, %v", warnings, err)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path, old, now string) {
	t.Helper()
	text := read(t, path)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %s", path, old)
	}
	write(t, path, strings.ReplaceAll(text, old, now))
}

func TestEvaluationsAreSealed(t *testing.T) {
	d := sealedRun(t)
	check(t, errors.Join(os.MkdirAll(d.Model(), 0o777), d.WriteEvaluation(map[string]int{"samples": 2})))
	write(t, d.File(predictionsFile), "path\n")
	check(t, d.SealEvaluation(false))
	var got struct{ Samples int }
	evaluation := func() error { return d.ReadEvaluation(&got) }
	predictions := func() error {
		file, err := d.OpenPredictions()
		if err == nil {
			err = file.Close()
		}
		return err
	}
	check(t, errors.Join(evaluation(), predictions()))
	edit(t, d.File(evaluationFile), "2", "3")
	edit(t, d.File(predictionsFile), "path", "paht")
	for _, err := range []error{evaluation(), predictions()} {
		if !errors.Is(err, errDamaged) || !strings.Contains(pipeline.HintOf(err).String(), "tftl evaluate") {
			t.Errorf("changed: %v, hint %v", err, pipeline.HintOf(err))
		}
	}
	check(t, d.SealEvaluation(false))
	check(t, errors.Join(evaluation(), predictions()))
	write(t, d.File(packedPredictionsFile), "those of another run")
	if err := predictions(); !errors.Is(err, errDamaged) {
		t.Errorf("added: %v", err)
	}
	check(t, os.Remove(d.File(packedPredictionsFile)))
	check(t, os.Remove(d.File(evaluationFile)))
	if err := evaluation(); !errors.Is(err, errDamaged) {
		t.Errorf("removed: %v", err)
	}
	check(t, os.Remove(d.File(evaluationSeal)))
	if err := predictions(); !errors.Is(err, errDamaged) {
		t.Errorf("without a seal: %v", err)
	}
}

func TestDecisionsAreSealed(t *testing.T) {
	type decision struct {
		Threshold float64 `json:"threshold"`
	}
	d := sealedRun(t)
	best := filepath.Join(d.Model(), extraDir, bestFile)
	write(t, best, "digest\n")
	check(t, d.WriteDecision(decision{0.7}))
	want := func(how string, threshold float64, damaged bool) {
		t.Helper()
		var got decision
		err := d.ReadDecision(&got)
		if errors.Is(err, errDamaged) != damaged || !damaged && (err != nil || got.Threshold != threshold) {
			t.Errorf("%s: %+v, %v", how, got, err)
		}
	}
	whole := read(t, d.File(decisionFile))
	want("whole", 0.7, false)
	places := d.decisions()
	for i, lost := range places {
		check(t, os.Remove(lost))
		want("the other instead", 0.7, false)
		check(t, d.RestoreDecision())
		if read(t, lost) != whole || read(t, places[1-i]) != whole {
			t.Errorf("%s is not put back", lost)
		}
	}
	write(t, places[1], "damaged")
	check(t, d.RestoreDecision())
	if read(t, places[1]) != whole {
		t.Error("a damaged copy stays")
	}
	write(t, d.File(decisionFile), strings.Replace(whole, "0.7", "0.6", 1))
	want("changed", 0, true)
	write(t, d.File(decisionFile), `{"threshold": 0.6}`)
	want("without a seal", 0, true)
	write(t, d.File(decisionFile), whole)
	write(t, best, "another\n")
	want("of other weights", 0, true)
	check(t, d.RemoveDecision())
	want("none", 0, false)
}

func TestCheckNamesWhatIsDamaged(t *testing.T) {
	d := sealedRun(t)
	problems := func() (names []string) {
		for _, c := range d.Check() {
			if c.Problem != "" {
				names = append(names, c.File)
			}
		}
		return names
	}
	if got := problems(); len(got) > 0 {
		t.Errorf("an intact run: %v", got)
	}
	write(t, d.File(dataFile), "")
	write(t, d.Checkpoint(previous)+".index", "")
	check(t, os.Remove(d.File(contentsFile)))
	if got, want := problems(), []string{contentsFile, dataFile, "checkpoints/" + previous}; !slices.Equal(got, want) {
		t.Errorf("finds %v, want %v", got, want)
	}
}

// What a killed evaluation leaves is removed by the next, and nothing else is.
func TestSweepEvaluation(t *testing.T) {
	d := sealedRun(t)
	before := names(t, d.Path)
	random := strings.Repeat("A", 26)
	stays := "." + historyFile + "." + random + ".tmp" // of a process that trains
	write(t, d.File(stays), "")
	for _, left := range []string{predictionsFile, evaluationFile, reportPage, decisionFile, evaluationSeal, batchFile} {
		write(t, d.File("."+left+"."+random+".tmp"), "half")
	}
	write(t, d.File(modelDir+"/"+extraDir+"/."+decisionFile+"."+random+".tmp"), "half")
	write(t, d.File("."+galleryDir+"."+random+".tmp/01.jpg"), "half")
	check(t, d.SweepEvaluation())
	want := append(before, stays, modelDir+"/"+extraDir)
	slices.Sort(want)
	if got := names(t, d.Path); !slices.Equal(got, want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

func TestHeldRunsAreKnown(t *testing.T) {
	d := sealedRun(t)
	check(t, os.Mkdir(d.Model(), 0o777))
	held, err := d.Hold()
	check(t, err)
	defer held.Close()
	check(t, held.Same())
	check(t, os.RemoveAll(d.Model()))
	check(t, os.Mkdir(d.Model(), 0o777)) // a file system may give it the same number
	if err := held.Same(); err == nil || !strings.Contains(err.Error(), d.Model()) {
		t.Errorf("another model: %v", err)
	}
	check(t, os.RemoveAll(d.Path))
	check(t, os.MkdirAll(d.Model(), 0o777))
	if err := held.Same(); err == nil || !strings.Contains(err.Error(), d.Path) {
		t.Errorf("another run: %v", err)
	}
}
