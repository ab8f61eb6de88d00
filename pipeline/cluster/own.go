package cluster

// Owner returns which task computes the features of an image. Blocks of consecutive
// images go to the tasks in turn.
func (c *Cluster) Owner(image, block int) int { return image / block % c.Size() }

// Own returns the images below n that are this task's, in ascending order.
func (c *Cluster) Own(n, block int) []int {
	this := 0
	if c != nil {
		this = c.This
	}
	var own []int
	for start := this * block; start < n; start += c.Size() * block {
		for image := start; image < min(n, start+block); image++ {
			own = append(own, image)
		}
	}
	return own
}
