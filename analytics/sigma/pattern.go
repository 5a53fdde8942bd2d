package sigma

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// piece is a part of a pattern: literal text, "?" or "*".
type piece struct {
	kind pieceKind
	text string
}

type pieceKind uint8

const (
	pieceText pieceKind = iota
	pieceOne            // exactly one character
	pieceMany           // any run of characters, also none
)

// shape is the simplest way in which a pattern can be looked up.
type shape uint8

const (
	shapeExact shape = iota
	shapePrefix
	shapeSuffix
	shapeContains
	shapeAny  // any value
	shapeGlob // wildcards inside
)

// pattern is a value to compare with, ready for matching: folded unless the
// test is cased, dashes folded where the test has windash.
type pattern struct {
	shape  shape
	text   string  // of all shapes but shapeAny and shapeGlob
	pieces []piece // of shapeGlob

	written []piece // before folding, for readers; nil where it is the same
}

// parsePattern reads a value with its wildcards and escapes: a backslash
// makes a wildcard or another backslash literal and stands for itself before
// anything else.
func parsePattern(s string) []piece {
	var pieces []piece
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			pieces = append(pieces, piece{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`\*?`, s[i+1]) >= 0:
			i++
			text.WriteByte(s[i])
		case c == '*':
			flush()
			pieces = append(pieces, piece{kind: pieceMany})
		case c == '?':
			flush()
			pieces = append(pieces, piece{kind: pieceOne})
		default:
			text.WriteByte(c)
		}
	}
	flush()
	return pieces
}

// openStart and openEnd put "*" at an end that has none.
func openStart(pieces []piece) []piece {
	if len(pieces) > 0 && pieces[0].kind == pieceMany {
		return pieces
	}
	return append([]piece{{kind: pieceMany}}, pieces...)
}

func openEnd(pieces []piece) []piece {
	if len(pieces) > 0 && pieces[len(pieces)-1].kind == pieceMany {
		return pieces
	}
	return append(pieces[:len(pieces):len(pieces)], piece{kind: pieceMany})
}

// newPattern finds the shape of pieces and folds them.
func newPattern(pieces []piece, cased, dash bool) pattern {
	var tidy, written []piece
	folded := false
	for _, p := range pieces {
		if n := len(tidy); p.kind == pieceMany && n > 0 && tidy[n-1].kind == pieceMany {
			continue
		}
		written = append(written, p)
		if p.kind == pieceText && !cased {
			p.text = fold(p.text)
		}
		if p.kind == pieceText && dash {
			p.text = dashFold(p.text)
		}
		folded = folded || p.text != written[len(written)-1].text
		tidy = append(tidy, p)
	}
	shaped := shapePattern(tidy)
	if folded {
		shaped.written = written
	}
	return shaped
}

func shapePattern(tidy []piece) pattern {
	many := func(i int) bool { return tidy[i].kind == pieceMany }
	text := func(i int) bool { return tidy[i].kind == pieceText }
	switch n := len(tidy); {
	case n == 0:
		return pattern{shape: shapeExact}
	case n == 1 && text(0):
		return pattern{shape: shapeExact, text: tidy[0].text}
	case n == 1 && many(0):
		return pattern{shape: shapeAny}
	case n == 2 && text(0) && many(1):
		return pattern{shape: shapePrefix, text: tidy[0].text}
	case n == 2 && many(0) && text(1):
		return pattern{shape: shapeSuffix, text: tidy[1].text}
	case n == 3 && many(0) && text(1) && many(2):
		return pattern{shape: shapeContains, text: tidy[1].text}
	}
	return pattern{shape: shapeGlob, pieces: tidy}
}

// match says that text, folded as the pattern is, is like p.
func (p *pattern) match(text []byte) bool {
	switch p.shape {
	case shapeExact:
		return string(text) == p.text
	case shapePrefix:
		return len(text) >= len(p.text) && string(text[:len(p.text)]) == p.text
	case shapeSuffix:
		return len(text) >= len(p.text) && string(text[len(text)-len(p.text):]) == p.text
	case shapeContains:
		return indexIn(text, p.text) >= 0
	case shapeGlob:
		return matchPieces(p.pieces, text)
	}
	return true
}

// indexIn is bytes.Index for a needle that is a string, without a copy of it.
func indexIn(text []byte, needle string) int {
	if needle == "" {
		return 0
	}
	for from := 0; ; {
		i := bytes.IndexByte(text[from:], needle[0])
		if i < 0 || len(text)-from-i < len(needle) {
			return -1
		}
		from += i
		if string(text[from:from+len(needle)]) == needle {
			return from
		}
		from++
	}
}

// matchPieces goes back only to the last "*" passed: what came before it is
// as short as can be already, so no other way is left to try.
func matchPieces(pieces []piece, text []byte) bool {
	at, starPiece, starText := 0, -1, 0
	for i := 0; ; {
		switch {
		case i < len(pieces) && pieces[i].kind == pieceMany:
			if i == len(pieces)-1 {
				return true
			}
			starPiece, starText = i, at
			i++
			continue
		case i < len(pieces):
			if size := pieceSize(&pieces[i], text[at:]); size >= 0 {
				at += size
				i++
				continue
			}
		case at == len(text):
			return true
		}
		if starPiece < 0 || starText >= len(text) {
			return false
		}
		starText += nextStart(pieces[starPiece+1:], text[starText:])
		if starText > len(text) {
			return false
		}
		at, i = starText, starPiece+1
	}
}

// nextStart says how far to move on from a start that failed. Where a literal
// follows, that is to its next place.
func nextStart(rest []piece, text []byte) int {
	_, size := utf8.DecodeRune(text)
	if rest[0].kind != pieceText {
		return size
	}
	if i := indexIn(text[size:], rest[0].text); i >= 0 {
		return size + i
	}
	return len(text) + 1
}

// pieceSize is the length of what p takes from the start of text, or -1.
func pieceSize(p *piece, text []byte) int {
	if p.kind == pieceOne {
		if len(text) == 0 {
			return -1
		}
		_, size := utf8.DecodeRune(text)
		return size
	}
	if len(text) >= len(p.text) && string(text[:len(p.text)]) == p.text {
		return len(p.text)
	}
	return -1
}

// plainText is the text of a value without wildcards, which encodings need.
func plainText(pieces []piece, modifier string) (string, error) {
	switch {
	case len(pieces) == 0:
		return "", nil
	case len(pieces) == 1 && pieces[0].kind == pieceText:
		return pieces[0].text, nil
	}
	return "", fmt.Errorf("modifier %s cannot encode a value with wildcards", modifier)
}

// encodeBase64Offset gives for each of the three places a value may have in
// an encoded text the part that does not depend on what stands around it.
func encodeBase64Offset(text string) []string {
	dropFront, dropBack := [3]int{0, 2, 3}, [3]int{0, 3, 2}
	var variants []string
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, offset), text...))
		end := len(encoded) - dropBack[(offset+len(text))%3]
		if front := dropFront[offset]; front < end {
			variants = append(variants, encoded[front:end])
		}
	}
	return variants
}

// encodeUTF16 re-encodes the literal parts of a value.
func encodeUTF16(pieces []piece, order binary.AppendByteOrder, mark bool) []piece {
	var encoded []piece
	if mark {
		encoded = append(encoded, piece{text: "\xFF\xFE"})
	}
	for _, p := range pieces {
		if p.kind == pieceText {
			var text []byte
			for _, unit := range utf16.Encode([]rune(p.text)) {
				text = order.AppendUint16(text, unit)
			}
			p.text = string(text)
		}
		if n := len(encoded); p.kind == pieceText && n > 0 && encoded[n-1].kind == pieceText {
			encoded[n-1].text += p.text
			continue
		}
		encoded = append(encoded, p)
	}
	return encoded
}

// dashVariants spells pieces with every dash in place of each of its dashes,
// or fails when that are more than limit.
func dashVariants(pieces []piece, limit int) ([][]piece, error) {
	variants := [][]piece{nil}
	for _, p := range pieces {
		spellings := []string{p.text}
		if p.kind == pieceText {
			spellings = []string{""}
			for _, r := range p.text {
				choices := string(r)
				if strings.ContainsRune(dashes, r) {
					choices = dashes
				}
				var next []string
				for _, start := range spellings {
					for _, choice := range choices {
						next = append(next, start+string(choice))
					}
				}
				if spellings = next; len(spellings) > limit {
					return nil, fmt.Errorf("modifier windash before an encoding makes more than %d values", limit)
				}
			}
		}
		var next [][]piece
		for _, start := range variants {
			for _, text := range spellings {
				next = append(next, append(start[:len(start):len(start)], piece{kind: p.kind, text: text}))
			}
		}
		if variants = next; len(variants) > limit {
			return nil, fmt.Errorf("modifier windash before an encoding makes more than %d values", limit)
		}
	}
	return variants, nil
}
