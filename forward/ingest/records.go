package ingest

import (
	"bufio"
	"bytes"
	"io"
)

// Cutter cuts text into records. A record is a line, but for what is written
// over several of them: a JSON object whose first line is only its bracket,
// and an event in XML (<Event ...> to </Event>). The elements of a list of
// JSON objects are records too. Empty lines are none. The zero value is ready
// for use, for one text.
type Cutter struct {
	// Limit bounds a record, in bytes; 0: it has no bound. What is longer is
	// cut, and the rest of its line is left out.
	Limit int
	// Cut says that the latest record was longer than Limit.
	Cut bool

	begun bool // what may stand before all records is behind
	list  bool // within a list
	skip  bool // up to the end of the line
	plain bool // up to the end of the line it is one record
}

// Scanner cuts what it reads from in.
func (c *Cutter) Scanner(in io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, min(1<<16, c.Limit+scanMore)), c.Limit+scanMore)
	s.Split(c.Split)
	return s
}

// scanMore is what a Scanner's buffer needs beyond a record's limit.
const scanMore = 4 << 10

var (
	byteOrderMark = []byte("\xef\xbb\xbf")
	eventBegin    = [][]byte{[]byte("<Event "), []byte("<Event>")}
	eventEnd      = []byte("</Event>")
)

// Split is a bufio.SplitFunc. A token is a part of data; an empty one is no
// record, but what stands between them.
func (c *Cutter) Split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if !c.begun {
		if len(data) < len(byteOrderMark) && !atEOF {
			return 0, nil, nil
		}
		c.begun = true
		if bytes.HasPrefix(data, byteOrderMark) {
			return len(byteOrderMark), data[:0], nil
		}
	}
	if len(data) == 0 {
		return 0, nil, nil
	}
	if n := c.between(data); n > 0 {
		return n, data[:0], nil
	}
	end, next := c.record(data, atEOF)
	switch {
	case end < 0 && c.Limit > 0 && len(data) > c.Limit:
		c.Cut, c.skip, c.list, c.plain = true, true, false, false
		return c.Limit, data[:c.Limit], nil
	case end < 0:
		return 0, nil, nil
	case end == 0 || len(bytes.TrimSpace(data[:end])) == 0:
		return next, data[:0], nil
	}
	c.Cut = c.Limit > 0 && end > c.Limit
	if c.Cut {
		end = c.Limit
	}
	return next, data[:end], nil
}

// between is the length of what stands before the next record.
func (c *Cutter) between(data []byte) int {
	if c.skip {
		end := bytes.IndexByte(data, '\n')
		if c.skip = end < 0; c.skip {
			return len(data)
		}
		return end + 1
	}
	cutset := "\r\n"
	if c.list {
		cutset = ", \t\r\n"
	}
	return len(data) - len(bytes.TrimLeft(data, cutset))
}

// record finds the end of the record at the start of data, and where what
// follows begins; end is 0 when it is a bracket around records, and below 0
// when data does not reach far enough.
func (c *Cutter) record(data []byte, atEOF bool) (end, next int) {
	switch first := data[0]; {
	case c.plain:
		return c.rest(data, atEOF)
	case c.list && first == ']':
		c.list = false
		return 0, 1
	case c.list && first == '{':
		return c.object(data, atEOF)
	case c.list: // no list of objects after all
		c.list, c.plain = false, true
		return c.rest(data, atEOF)
	case first == '[' || first == '{':
		rest := bytes.TrimLeft(data[1:], " \t\r\n")
		if len(rest) == 0 && !atEOF {
			return -1, 0
		}
		if first == '[' && len(rest) > 0 && (rest[0] == '{' || rest[0] == ']') {
			c.list = true
			return 0, 1
		}
		if first == '{' && bytes.IndexByte(data[:len(data)-len(rest)], '\n') > 0 {
			return c.object(data, atEOF)
		}
	case bytes.HasPrefix(data, eventBegin[0]), bytes.HasPrefix(data, eventBegin[1]):
		if end := xmlEnd(data); end > 0 || end < 0 && !atEOF {
			return end, end
		}
	}
	return line(data, atEOF)
}

// rest is what is left of a line, whatever it begins with.
func (c *Cutter) rest(data []byte, atEOF bool) (end, next int) {
	end, next = line(data, atEOF)
	c.plain = end < 0
	return end, next
}

// object is the record of an object that may go over several lines.
func (c *Cutter) object(data []byte, atEOF bool) (end, next int) {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{', b == '[':
			depth++
		case b == '}', b == ']':
			if depth--; depth == 0 {
				return i + 1, i + 1
			}
		}
	}
	if atEOF { // cut off
		return len(data), len(data)
	}
	return -1, 0
}

// xmlEnd is where the event that data begins with ends; 0: with its line,
// because another one begins before it ends; below 0: behind data. It looks no
// further than that.
func xmlEnd(data []byte) int {
	for at := 1; ; at++ {
		next := bytes.IndexByte(data[at:], '<')
		if next < 0 {
			return -1
		}
		at += next
		switch tag := data[at:]; {
		case bytes.HasPrefix(tag, eventEnd):
			return at + len(eventEnd)
		case data[at-1] == '\n' && (bytes.HasPrefix(tag, eventBegin[0]) || bytes.HasPrefix(tag, eventBegin[1])):
			return 0
		}
	}
}

func line(data []byte, atEOF bool) (end, next int) {
	end = bytes.IndexByte(data, '\n')
	switch {
	case end >= 0:
		next = end + 1
	case atEOF:
		end, next = len(data), len(data)
	default:
		return -1, 0
	}
	if end > 0 && data[end-1] == '\r' {
		end--
	}
	return end, next
}
