package pipeline

// Recorded is the class and the part of an image when a run began. A run records
// all its images, so that later commands use the same parts.
type Recorded struct {
	ID    string // Sample.ID
	Class string
	Part  string // one of Parts
}
