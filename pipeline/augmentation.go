package pipeline

import "reflect"

// Augmentation records how training images are changed at random, in the terms
// and units of Keras' ImageDataGenerator. A field's zero value changes nothing.
//
// The pixels package draws and applies the changes. It has a type for each, which
// also defines its option. The record is here because a run's configuration has
// it, too. A new field needs omitempty, so that the configuration of older runs
// stays the same.
type Augmentation struct {
	HorizontalFlip bool `json:"horizontal_flip"` // half of the images
	VerticalFlip   bool `json:"vertical_flip"`   // half of the images

	RotationRange    float64 `json:"rotation_range"`     // degrees, either way
	WidthShiftRange  float64 `json:"width_shift_range"`  // either way: below 1 a fraction of the width, otherwise pixels
	HeightShiftRange float64 `json:"height_shift_range"` // the same for the height
	ShearRange       float64 `json:"shear_range"`        // degrees, either way

	ZoomRange         Factors `json:"zoom_range"`          // of width and height, drawn separately; below 1 enlarges
	RandomResizedCrop Factors `json:"random_resized_crop"` // fraction of the area to keep

	ChannelShiftRange float64 `json:"channel_shift_range"` // levels (0 to 255), either way
	BrightnessRange   Factors `json:"brightness_range"`
	ContrastRange     Factors `json:"contrast_range"`

	FillMode string  `json:"fill_mode"` // fills the area beyond the edge: nearest, constant, reflect or wrap
	CVal     float64 `json:"cval"`      // level for constant, 0 to 255

	// Copies is the number of variants of each image. Epochs use them in turn;
	// 0 draws a new one every epoch.
	Copies int `json:"augment_copies"`
}

// Factors are the smallest and the largest factor. The zero value means 1 and 1.
type Factors [2]float64

// Change reports whether any factor differs from 1.
func (f Factors) Change() bool { return f != Factors{} && f != Factors{1, 1} }

// Enabled reports whether anything can change an image. A new field counts
// without being named here, whatever its type.
func (a Augmentation) Enabled() bool {
	a.FillMode, a.CVal, a.Copies = "", 0, 0 // on their own they change nothing
	fields := reflect.ValueOf(&a).Elem()
	for i := range fields.NumField() {
		if f, is := fields.Field(i).Addr().Interface().(*Factors); is && !f.Change() {
			*f = Factors{}
		}
	}
	return a != Augmentation{}
}

// Epoch returns the epoch whose draw an epoch uses. With copies, the draws of the
// first epochs take turns.
func (a Augmentation) Epoch(epoch int) int {
	if a.Copies == 0 {
		return epoch
	}
	return (epoch-1)%a.Copies + 1
}
