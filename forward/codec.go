package forward

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
)

// maxUnpacked bounds what a pack may grow to when it is unpacked: a pack comes
// from the network, and ours are below the server's limit for a message.
const maxUnpacked = 16 << 20

// compressor makes a pack smaller. It is used from one goroutine.
type compressor interface {
	compress(dst, src []byte) []byte
	encoding() string // of header Content-Encoding
}

func newCompressor(name string) (compressor, error) {
	switch name {
	case CompressSnappy:
		return snappyBlock{}, nil
	case CompressZstd:
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("set up zstd: %w", err)
		}
		return zstdFrame{enc}, nil
	}
	return nil, nil
}

// snappyBlock is one block of snappy without a frame around it: what
// snappy.decompress of Python and snappy.Decode of Go read.
type snappyBlock struct{}

func (snappyBlock) encoding() string { return CompressSnappy }

func (snappyBlock) compress(dst, src []byte) []byte {
	return s2.EncodeSnappy(dst[:cap(dst)], src)
}

type zstdFrame struct{ enc *zstd.Encoder }

func (zstdFrame) encoding() string { return CompressZstd }

func (z zstdFrame) compress(dst, src []byte) []byte { return z.enc.EncodeAll(src, dst[:0]) }

// unpackBody undoes a pack's Content-Encoding.
func unpackBody(encoding string, data []byte) ([]byte, error) {
	switch encoding {
	case "":
		return data, nil
	case CompressSnappy:
		n, err := snappy.DecodedLen(data)
		if err != nil || n > maxUnpacked {
			return nil, fmt.Errorf("unpack snappy: length %d: %w", n, orTooLarge(err))
		}
		return snappy.Decode(nil, data)
	case CompressZstd:
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
		if err != nil {
			return nil, fmt.Errorf("set up zstd: %w", err)
		}
		defer dec.Close()
		return dec.DecodeAll(data, nil)
	}
	return nil, fmt.Errorf("unpack: Content-Encoding %q is not known", encoding)
}

var errTooLarge = fmt.Errorf("more than %d bytes", maxUnpacked)

func orTooLarge(err error) error {
	if err != nil {
		return err
	}
	return errTooLarge
}

// Body is a message's data without its Content-Encoding, which may be any of
// those that vegress itself uses: part of data's memory, or a copy.
func Body(header nats.Header, data []byte) ([]byte, error) {
	return unpackBody(header.Get(headerEncoding), data)
}

// Unpack goes through the lines of a message from vegress: the events of a
// pack, compressed or not, or the one finding. A line is one JSON object
// without its newline, part of data's memory or of a copy, and the caller's to
// keep. An error is the last thing that it yields.
func Unpack(header nats.Header, data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		body, err := Body(header, data)
		if err != nil {
			yield(nil, err)
			return
		}
		for line := range bytes.Lines(body) {
			line = bytes.TrimRight(line, "\r\n")
			if len(line) > 0 && !yield(line, nil) {
				return
			}
		}
	}
}
