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

	checkpointsDir = "checkpoints"
	replacedDir    = "replaced"
	logsDir        = "logs"
	eventsFile     = "events.out.tfevents.tftl" // TensorBoard reads any file with tfevents in its name
	galleryDir     = "gallery"
	galleryFile    = "gallery.json"
	modelDir       = "model"
	extraDir       = "assets.extra" // of a SavedModel, for files that TensorFlow does not read
	bestFile       = "best.sha256"  // says which weights a trained model was exported from
)

// file is one thing that tftl writes into a run folder.
type file struct {
	// pattern is one of path.Match. A pattern that ends in a slash is a folder
	// with everything in it.
	pattern string
	// measured says that it describes the trained model, and is removed when
	// other weights replace that model.
	measured bool
}

// files lists everything that tftl writes into a run folder. FORMAT.md
// describes each.
func files() []file {
	return []file{
		{pattern: configFile},
		{pattern: labelsFile},
		{pattern: dataFile},
		{pattern: contentsFile},
		{pattern: badImagesFile},
		{pattern: tuneFile},
		{pattern: historyFile},
		{pattern: historyTable},
		{pattern: timingFile},
		{pattern: logsDir + "/*/" + eventsFile},
		{pattern: checkpointsDir + "/"},
		{pattern: modelDir + "/saved_model.pb"},
		{pattern: modelDir + "/fingerprint.pb"},
		{pattern: modelDir + "/variables/variables.*"},
		{pattern: modelDir + "/assets/*"},
		{pattern: modelDir + "/" + extraDir + "/tftl.json"},
		{pattern: modelDir + "/" + extraDir + "/SHA256SUMS"},
		{pattern: modelDir + "/" + extraDir + "/" + bestFile},
		{pattern: modelDir + "/" + extraDir + "/" + decisionFile},
		{pattern: decisionFile, measured: true},
		{pattern: predictionsFile, measured: true},
		{pattern: packedPredictionsFile, measured: true},
		{pattern: evaluationFile, measured: true},
		{pattern: evaluationBadImagesFile},
		{pattern: galleryDir + "/" + galleryFile},
		{pattern: galleryDir + "/[0-9]*.jpg"},
		{pattern: galleryDir + "/[0-9]*-heat.png"},
		{pattern: reportPage, measured: true},
		{pattern: reportBrief, measured: true},
		{pattern: batchFile},
		{pattern: replacedDir + "/"},
		// What a killed process leaves behind.
		{pattern: "." + modelDir + ".old/"},
		{pattern: "." + galleryDir + ".old/"},
		{pattern: ".*." + strings.Repeat("[2-7A-Z]", 26) + ".tmp"},
	}
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
