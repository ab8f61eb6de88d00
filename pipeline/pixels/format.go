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
		InterOpParallelismThreads: -1, // use the caller's thread: a thread of its own would take one image at a time
		DeviceCount:               map[string]int32{"GPU": 0},
	})
	if err != nil {
		return nil
	}
	return &tf.SessionOptions{Config: data}
}

// decodeError explains in plain words why TensorFlow could not decode an image.
func decodeError(encoded []byte, err error) error {
	format := Format(encoded)
	if format == "" {
		return foreign(encoded)
	}
	// libjpeg could fill in what is missing, but a whole image without the marker looks the same
	// as one that lost its last rows.
	if format == "JPEG" && !bytes.Contains(encoded[len(encoded)/2:], []byte("\xff\xd9")) {
		return errors.New("is a damaged JPEG: it ends without an end marker")
	}
	return fmt.Errorf("is a damaged or unsupported %s: %s", format, firstLine(err))
}

// firstLine is an error of TensorFlow without what it says of the graph.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line, _, _ = strings.Cut(line, " [Op:")
	line, _, _ = strings.Cut(line, "\t [[")
	return strings.TrimSpace(line)
}

// Format returns the format according to an image's first bytes: JPEG, PNG, BMP,
// GIF, WebP, or empty.
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
