package pipeline

// Limits of options that decide how much memory, how many threads or how much time a
// command takes. They are far above any use, and keep products of them from
// overflowing.
const (
	MaxBatchSize = 65_536
	MaxWorkers   = 1_024 // and threads
	MaxEpochs    = 1_000_000
	MaxUnits     = 65_536    // of a hidden layer
	MaxResamples = 1_000_000 // of a bootstrap
	// maxBatchValues is the most numbers in a batch of pixels or features: 8 GiB of
	// them. Kernels of TensorFlow count the values of a tensor in 32 bits.
	maxBatchValues = 1 << 31
)

// CheckBatch returns an error if a batch of so many images, of so many values each,
// is too large.
func CheckBatch(images, values int) error {
	if values == 0 || images <= maxBatchValues/values {
		return nil
	}
	return Errorf(BadUsage, "%s: %d images of %d values each do not fit in a batch: its limit is %d values, %d such images", Option("batch-size"), images, values, maxBatchValues, maxBatchValues/values)
}

// CheckRange returns an error of kind BadUsage if the value of an option is out of
// bounds.
func CheckRange(name Option, value, least, most int) error {
	switch {
	case value < least:
		return Errorf(BadUsage, "%s %d: must be %d or more", name, value, least)
	case value > most:
		return Errorf(BadUsage, "%s %d: must be at most %d", name, value, most)
	}
	return nil
}
