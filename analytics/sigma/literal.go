package sigma

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
)

// view is all literals of one field, in one folding.
type view struct {
	exact  map[string]uint32 // literal ids
	prefix *trie
	suffix *trie
	scan   *scanner
}

// trie looks up literals that stand at one end of a text, in time bounded by
// the longest that matches. Chains without a fork are one node.
type trie struct {
	nodes    []trieNode
	labels   []byte
	targets  []uint32
	literals []string // by literal id
	reverse  bool     // literals stand at the end
}

type trieNode struct {
	depth   uint32 // bytes that lead here
	edges   uint32 // first of its labels and targets
	count   uint16
	example uint32 // a literal that passes through here
	literal int32  // the literal that ends here, or -1
}

// newTrie builds the trie of literals, which are distinct and not empty.
func newTrie(ids []uint32, texts []string, reverse bool) *trie {
	if len(ids) == 0 {
		return nil
	}
	t := &trie{literals: texts, reverse: reverse}
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b uint32) int { return t.compare(texts[a], texts[b]) })
	t.build(ids, 0)
	return t
}

func (t *trie) compare(a, b string) int {
	if !t.reverse {
		return strings.Compare(a, b)
	}
	for i := range min(len(a), len(b)) {
		if x, y := a[len(a)-1-i], b[len(b)-1-i]; x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// at is the byte of s that is i bytes away from the end that counts.
func (t *trie) at(s string, i int) byte {
	if t.reverse {
		return s[len(s)-1-i]
	}
	return s[i]
}

// build makes the node of ids, sorted, which agree in their first from bytes.
func (t *trie) build(ids []uint32, from int) uint32 {
	first, last := t.literals[ids[0]], t.literals[ids[len(ids)-1]]
	depth := from
	for depth < len(first) && depth < len(last) && t.at(first, depth) == t.at(last, depth) {
		depth++
	}
	index := uint32(len(t.nodes))
	node := trieNode{depth: uint32(depth), example: ids[0], literal: -1}
	t.nodes = append(t.nodes, node)
	if len(first) == depth {
		node.literal = int32(ids[0])
		ids = ids[1:]
	}
	node.edges = uint32(len(t.labels))
	var groups [][]uint32
	for len(ids) > 0 {
		label := t.at(t.literals[ids[0]], depth)
		end := 1
		for end < len(ids) && t.at(t.literals[ids[end]], depth) == label {
			end++
		}
		t.labels = append(t.labels, label)
		groups = append(groups, ids[:end])
		ids = ids[end:]
	}
	t.targets = append(t.targets, make([]uint32, len(groups))...)
	node.count = uint16(len(groups))
	for i, group := range groups {
		t.targets[int(node.edges)+i] = t.build(group, depth)
	}
	t.nodes[index] = node
	return index
}

// lookup marks every literal that text begins with, or ends with.
func (t *trie) lookup(m *Matcher, text []byte) {
	node, from := &t.nodes[0], 0
	for {
		depth := int(node.depth)
		if depth > len(text) || !t.agrees(text, t.literals[node.example], from, depth) {
			return
		}
		if node.literal >= 0 {
			m.mark(uint32(node.literal))
		}
		if node.count == 0 || depth == len(text) {
			return
		}
		next := text[depth]
		if t.reverse {
			next = text[len(text)-1-depth]
		}
		edge := t.edge(node, next)
		if edge < 0 {
			return
		}
		node, from = &t.nodes[t.targets[edge]], depth
	}
}

func (t *trie) agrees(text []byte, literal string, from, to int) bool {
	if t.reverse {
		return string(text[len(text)-to:len(text)-from]) == literal[len(literal)-to:len(literal)-from]
	}
	return string(text[from:to]) == literal[from:to]
}

func (t *trie) edge(node *trieNode, label byte) int {
	low, high := int(node.edges), int(node.edges)+int(node.count)
	for high-low > 8 {
		middle := int(uint(low+high) / 2)
		if t.labels[middle] <= label {
			low = middle
		} else {
			high = middle
		}
	}
	for i := low; i < high; i++ {
		if t.labels[i] == label {
			return i
		}
	}
	return -1
}

// scanner finds all of many literals anywhere in a text in one pass. Each
// literal is known by the four bytes of it that fewest others have: a small
// bit map, which stays in the nearest cache, says of almost every place in a
// text that none of them is there; where one may be, the literals with those
// four bytes are compared. Literals of one to three bytes have a pass of
// their own. It needs a few bytes for each literal, whatever its length,
// where an automaton needs some for each byte of it.
type scanner struct {
	long      gramTable
	short     gramTable // by their first two bytes
	single    [256]int32
	hasSingle bool
}

// gramTable finds literals by what stands at one place of them.
type gramTable struct {
	filter []uint64
	shift  uint     // of the hash, to a bit of filter
	narrow uint     // from a bit of filter to a bucket
	bucket []uint32 // first entry of each bucket, and the end
	entry  []gramEntry
}

type gramEntry struct {
	gram    uint32
	offset  uint32 // of the gram in the literal
	literal uint32
}

const gramFactor = 0x9E3779B1

func newScanner(ids []uint32, texts []string) *scanner {
	if len(ids) == 0 {
		return nil
	}
	s := &scanner{}
	for i := range s.single {
		s.single[i] = -1
	}
	var long, short []gramEntry
	common := countGrams(ids, texts)
	for _, id := range ids {
		text := texts[id]
		switch {
		case len(text) >= 4:
			offset := rarestGram(text, common)
			long = append(long, gramEntry{gram: gramAt(text, offset), offset: uint32(offset), literal: id})
		case len(text) >= 2:
			short = append(short, gramEntry{gram: uint32(text[0]) | uint32(text[1])<<8, literal: id})
		default:
			s.single[text[0]], s.hasSingle = int32(id), true
		}
	}
	s.long, s.short = newGramTable(long), newGramTable(short)
	return s
}

func gramAt(text string, i int) uint32 {
	return uint32(text[i]) | uint32(text[i+1])<<8 | uint32(text[i+2])<<16 | uint32(text[i+3])<<24
}

// countGrams counts in how many places the literals have each four bytes.
func countGrams(ids []uint32, texts []string) map[uint32]int {
	common := map[uint32]int{}
	for _, id := range ids {
		for i := 0; i+4 <= len(texts[id]); i++ {
			common[gramAt(texts[id], i)]++
		}
	}
	return common
}

func rarestGram(text string, common map[uint32]int) int {
	best := 0
	for i := 1; i+4 <= len(text); i++ {
		if common[gramAt(text, i)] < common[gramAt(text, best)] {
			best = i
		}
	}
	return best
}

func newGramTable(entries []gramEntry) gramTable {
	if len(entries) == 0 {
		return gramTable{}
	}
	width := max(10, bits.Len(uint(len(entries)))+4) // of the filter, in bits: at least 16 for each literal
	bucketWidth := max(1, bits.Len(uint(len(entries))))
	t := gramTable{
		filter: make([]uint64, 1<<width/64),
		shift:  32 - uint(width),
		narrow: uint(width - bucketWidth),
		bucket: make([]uint32, 1<<bucketWidth+1),
		entry:  entries,
	}
	hash := func(e gramEntry) uint32 { return e.gram * gramFactor >> t.shift }
	slices.SortStableFunc(entries, func(a, b gramEntry) int { return int(hash(a)) - int(hash(b)) })
	for _, e := range entries {
		h := hash(e)
		t.filter[h/64] |= 1 << (h % 64)
		t.bucket[h>>t.narrow+1]++
	}
	for i := 1; i < len(t.bucket); i++ {
		t.bucket[i] += t.bucket[i-1]
	}
	return t
}

// find marks each literal in text. Behind text's length it may read zeros:
// text's capacity goes textPadding further.
func (s *scanner) find(m *Matcher, text []byte) {
	if filter := s.long.filter; len(filter) > 0 {
		shift := s.long.shift
		for i := 0; i+4 <= len(text); i++ {
			gram := binary.LittleEndian.Uint32(text[i:])
			if h := gram * gramFactor >> (shift & 31); filter[h/64]>>(h%64)&1 != 0 {
				s.long.check(m, text, i, gram, h)
			}
		}
	}
	if filter := s.short.filter; len(filter) > 0 {
		shift := s.short.shift
		for i := 0; i+2 <= len(text); i++ {
			gram := uint32(text[i]) | uint32(text[i+1])<<8
			if h := gram * gramFactor >> (shift & 31); filter[h/64]>>(h%64)&1 != 0 {
				s.short.check(m, text, i, gram, h)
			}
		}
	}
	if s.hasSingle {
		for _, c := range text {
			if id := s.single[c]; id >= 0 {
				m.mark(uint32(id))
			}
		}
	}
}

// check compares the literals that may be at i.
func (t *gramTable) check(m *Matcher, text []byte, i int, gram, h uint32) {
	b := h >> t.narrow
	for _, e := range t.entry[t.bucket[b]:t.bucket[b+1]] {
		if e.gram != gram {
			continue
		}
		literal := m.engine.literals[e.literal]
		start := i - int(e.offset)
		if start >= 0 && len(text)-start >= len(literal) && string(text[start:start+len(literal)]) == literal {
			m.mark(e.literal)
		}
	}
}
