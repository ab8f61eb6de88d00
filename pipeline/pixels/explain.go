package pixels

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

func singleThreaded() *tf.SessionOptions {
	data, err := proto.Marshal(&for_core_protos_go_proto.ConfigProto{
		IntraOpParallelismThreads: 1,
		InterOpParallelismThreads: -1, // on the caller's: one of its own would take the workers' images in turn
		DeviceCount:               map[string]int32{"GPU": 0},
	})
	if err != nil {
		return nil
	}
	return &tf.SessionOptions{Config: data}
}

// explain says in a user's words why TensorFlow could not decode an image.
func explain(encoded []byte, err error) error {
	format := Format(encoded)
	if format == "" {
		return foreign(encoded)
	}
	// libjpeg could fill up what is missing, but of a whole image without the marker, one that
	// was cut in its last rows cannot be told.
	if format == "JPEG" && !bytes.Contains(encoded[len(encoded)/2:], []byte("\xff\xd9")) {
		return errors.New("is a damaged JPEG: it ends without an end marker")
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	line, _, _ = strings.Cut(line, " [Op:")
	line, _, _ = strings.Cut(line, "\t [[")
	return fmt.Errorf("is a damaged or unsupported %s: %s", format, strings.TrimSpace(line))
}

// Format is what an image's first bytes say it is: JPEG, PNG, BMP, GIF, WebP,
// or empty.
func Format(encoded []byte) string {
	has := func(prefix string) bool { return bytes.HasPrefix(encoded, []byte(prefix)) }
	switch {
	case has("\xff\xd8\xff"):
		return "JPEG"
	case has("\x89PNG\r\n\x1a\n"):
		return "PNG"
	case has("GIF87a"), has("GIF89a"):
		return "GIF"
	case has("BM"):
		return "BMP"
	case has("RIFF") && len(encoded) >= 12 && string(encoded[8:12]) == "WEBP":
		return "WebP"
	}
	return ""
}
