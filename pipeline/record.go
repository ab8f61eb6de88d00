package pipeline

// Recorded says which class and which part an image had when a run began. A
// run records all its images, so that later commands use the same parts.
type Recorded struct {
	ID    string // Sample.ID
	Class string
	Part  string // one of Parts
}
