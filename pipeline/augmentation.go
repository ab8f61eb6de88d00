package pipeline

// Augmentation is how training images are changed at random, in the words and
// units of Keras' ImageDataGenerator. Its zero value changes nothing, and so
// does the zero value of each field. It is drawn and applied by whoever has the
// pixels; it stands here because a run's record and its images share it.
type Augmentation struct {
	HorizontalFlip bool `json:"horizontal_flip"` // half of the images
	VerticalFlip   bool `json:"vertical_flip"`

	RotationRange    float64 `json:"rotation_range"`     // degrees, to either side
	WidthShiftRange  float64 `json:"width_shift_range"`  // to either side: a fraction of the width below 1, pixels from 1 on
	HeightShiftRange float64 `json:"height_shift_range"` // as WidthShiftRange, of the height
	ShearRange       float64 `json:"shear_range"`        // degrees, to either side

	ZoomRange         Factors `json:"zoom_range"`          // of width and height, drawn apart; below 1 enlarges
	RandomResizedCrop Factors `json:"random_resized_crop"` // of the area, that a crop keeps

	ChannelShiftRange float64 `json:"channel_shift_range"` // levels of 0 to 255, to either side
	BrightnessRange   Factors `json:"brightness_range"`
	ContrastRange     Factors `json:"contrast_range"`

	FillMode string  `json:"fill_mode"` // what lies beyond the edge: nearest, constant, reflect or wrap
	CVal     float64 `json:"cval"`      // of constant, 0 to 255

	// Copies is how many variants of an image there are, one an epoch in turn;
	// 0 draws a new one every epoch.
	Copies int `json:"augment_copies"`
}

// Factors is the least and the largest of what something is multiplied with.
// Zero stands for 1 and 1.
type Factors [2]float64

// Change says whether there is a factor other than 1.
func (f Factors) Change() bool { return f != Factors{} && f != Factors{1, 1} }

// Geometric says whether pixels are moved by other than flips.
func (a Augmentation) Geometric() bool {
	return a.RotationRange != 0 || a.WidthShiftRange != 0 || a.HeightShiftRange != 0 || a.ShearRange != 0 ||
		a.ZoomRange.Change() || a.RandomResizedCrop.Change()
}

// Enabled says whether anything is changed at all.
func (a Augmentation) Enabled() bool {
	return a.Geometric() || a.HorizontalFlip || a.VerticalFlip ||
		a.ChannelShiftRange != 0 || a.BrightnessRange.Change() || a.ContrastRange.Change()
}

// Epoch is the epoch whose draw an epoch uses: with copies, those of the first
// few epochs in turn.
func (a Augmentation) Epoch(epoch int) int {
	if a.Copies == 0 {
		return epoch
	}
	return (epoch-1)%a.Copies + 1
}
