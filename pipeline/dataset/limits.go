package dataset

// MaxFolds is the most folds of a manifest.
const MaxFolds = 1_000_000

// Limits on what a file may make this package read or keep. Real data is far below
// them.
const (
	maxBytes    = 256 << 20  // of an image: the largest that can be decoded
	maxManifest = 512 << 20  // bytes of a manifest
	maxRow      = 1 << 20    // bytes of a manifest's line
	maxRows     = 10_000_000 // lines of a manifest
	maxLabels   = 16 << 20   // bytes of a list of labels
	maxRecords  = 1_000_000  // in a CIFAR file, which has 10,000 or 50,000
	// maxInflated is what the GZIP files of a data set hold between them. They have no
	// random access, so their images are kept in memory. One that holds more than
	// freelyInflated may hold at most mostInflation times its size.
	maxInflated    = 2 << 30
	freelyInflated = 64 << 20
	mostInflation  = 100
	// maxRepeats is how many files and folders may be listed again because links lead
	// to a folder by several paths. With links between folders, the number of paths
	// grows exponentially.
	maxRepeats = 50_000
)
