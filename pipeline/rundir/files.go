package rundir

import (
	"path"
	"slices"
	"strings"
)

// The names in a run folder. No other package spells them.
const (
	configFile              = "config.json"
	labelsFile              = "labels.txt"
	dataFile                = "data.csv"
	contentsFile            = "contents.csv"
	badImagesFile           = "bad-images.csv"
	excludedFile            = "excluded.csv"
	tuneFile                = "tune.json"
	historyFile             = "history.jsonl"
	historyTable            = "history.csv"
	timingFile              = "timing.jsonl"
	decisionFile            = "decision.json"
	evaluationFile          = "evaluation.json"
	predictionsFile         = "predictions.csv"
	packedPredictionsFile   = predictionsFile + ".gz"
	evaluationBadImagesFile = "evaluation-" + badImagesFile
	reportPage              = "report.html"
	reportBrief             = "report.md"
	batchFile               = "batch.json"
	stateFile               = "state.json"

	runSeal        = "run.sha256"
	evaluationSeal = "evaluation.sha256"
	gallerySeal    = galleryDir + "/gallery.sha256"

	checkpointsDir = "checkpoints"
	replacedDir    = "replaced"
	logsDir        = "logs"
	eventsFile     = "events.out.tfevents.tftl" // TensorBoard reads any file with tfevents in its name
	galleryDir     = "gallery"
	galleryFile    = "gallery.json"
	modelDir       = "model"
	extraDir       = "assets.extra" // of a SavedModel, for files that TensorFlow does not read
	bestFile       = "best.sha256"  // says which weights a trained model was exported from
	bestPath       = modelDir + "/" + extraDir + "/" + bestFile
)

// file is one thing that tftl writes into a run folder.
type file struct {
	// pattern is one of path.Match. A pattern that ends in a slash is a folder
	// with everything in it.
	pattern string
	// measured says that it describes the trained model, and is removed when
	// other weights replace that model.
	measured bool
	// seal is the file that has its digest; empty if nobody believes it, or if it
	// has its own.
	seal string
	// grows says that it changes while a run trains, and is sealed only afterwards.
	grows bool
}

// files lists everything that tftl writes into a run folder. FORMAT.md
// describes each.
func files() []file {
	temporary := ".*." + strings.Repeat("[2-7A-Z]", 26) + ".tmp"
	return []file{
		{pattern: runSeal},
		{pattern: configFile, seal: runSeal},
		{pattern: labelsFile, seal: runSeal},
		{pattern: dataFile, seal: runSeal},
		{pattern: contentsFile, seal: runSeal},
		{pattern: badImagesFile, seal: runSeal},
		{pattern: excludedFile, seal: runSeal},
		{pattern: tuneFile, seal: runSeal},
		{pattern: historyFile, seal: runSeal, grows: true},
		{pattern: historyTable},
		{pattern: timingFile, seal: runSeal, grows: true},
		{pattern: logsDir + "/*/" + eventsFile},
		{pattern: checkpointsDir + "/"},
		{pattern: modelDir + "/saved_model.pb"},
		{pattern: modelDir + "/fingerprint.pb"},
		{pattern: modelDir + "/variables/variables.*"},
		{pattern: modelDir + "/assets/*"},
		{pattern: modelDir + "/" + extraDir + "/tftl.json"},
		{pattern: modelDir + "/" + extraDir + "/SHA256SUMS"},
		{pattern: bestPath, seal: runSeal, grows: true},
		{pattern: modelDir + "/" + extraDir + "/" + decisionFile},
		{pattern: decisionFile, measured: true},
		{pattern: predictionsFile, measured: true, seal: evaluationSeal},
		{pattern: packedPredictionsFile, measured: true, seal: evaluationSeal},
		{pattern: evaluationFile, measured: true, seal: evaluationSeal},
		{pattern: evaluationBadImagesFile, seal: evaluationSeal},
		{pattern: evaluationSeal, measured: true},
		{pattern: galleryDir + "/" + galleryFile, seal: gallerySeal},
		{pattern: galleryDir + "/[0-9]*.jpg", seal: gallerySeal},
		{pattern: galleryDir + "/[0-9]*-heat.png", seal: gallerySeal},
		{pattern: gallerySeal},
		{pattern: reportPage, measured: true},
		{pattern: reportBrief, measured: true},
		{pattern: batchFile},
		{pattern: replacedDir + "/"},
		// What a killed process leaves behind.
		{pattern: "." + modelDir + ".old/"},
		{pattern: "." + galleryDir + ".old/"},
		{pattern: temporary},
		{pattern: modelDir + "/" + extraDir + "/" + temporary},
	}
}

// kindOf is what tftl writes under a path, relative to the run folder. Its seal is
// run.sha256 if there is no such file.
func kindOf(name string) file {
	for _, f := range files() {
		if matches, _ := path.Match(f.pattern, name); matches && f.seal != "" {
			return f
		}
	}
	return file{seal: runSeal}
}

// isWritten says whether tftl writes a file with this path, relative to the run
// folder.
func isWritten(name string) bool {
	return slices.ContainsFunc(files(), func(f file) bool {
		if folder, whole := strings.CutSuffix(f.pattern, "/"); whole {
			first, _, _ := strings.Cut(name, "/")
			matches, _ := path.Match(folder, first)
			return matches
		}
		matches, _ := path.Match(f.pattern, name)
		return matches
	})
}
