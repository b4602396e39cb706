package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads a bbolt file without bbolt, to know that it is sound. Bbolt trusts its pages: a damaged one makes
// it panic, also on goroutines where nothing can be recovered, follow a loop forever, or read beyond the end of
// its memory map, which ends the process. The layout is that of bbolt's internal/common: little structures in the
// machine's own byte order.

var native = binary.NativeEndian

const (
	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	bucketEntry = 0x01 // flag of a leaf's element whose value is a bucket

	pageHeaderSize   = 16
	elementSize      = 16
	bucketHeaderSize = 16
	metaSize         = 64 // of which the last 8 are the checksum

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	noFreelist = ^uint64(0) // a file that keeps none
)

// visitor is told what a walk finds: a bucket, then its entries. The slices are valid during the call only.
type visitor interface {
	visitBucket(name []byte)
	visit(bucket, key, value []byte)
}

// header is a meta page: it says where the tree of a transaction begins.
type header struct {
	pageSize uint64
	root     uint64
	freelist uint64
	pages    uint64 // all pages have lower numbers
	txid     uint64
}

// pageFile is a bbolt file during a walk.
type pageFile struct {
	header
	r    io.ReaderAt
	used []bool // pages seen so far; each belongs to one place
	v    visitor
}

// walkPages checks the structure of a whole file of size bytes and tells v of its buckets and entries. It returns
// the number of the newest transaction.
func walkPages(r io.ReaderAt, size int64, v visitor) (uint64, error) {
	h, err := newestHeader(r, size)
	if err != nil {
		return 0, err
	}
	if h.pages < 4 || h.pages > uint64(size)/h.pageSize {
		return 0, fmt.Errorf("it is cut short: it has %d bytes, its %d pages need %d", size, h.pages, h.pages*h.pageSize)
	}
	f := &pageFile{header: h, r: r, used: make([]bool, h.pages), v: v}
	f.used[0], f.used[1] = true, true
	if err := f.walkTree(h.root, bounds{}, f.rootEntry); err != nil {
		return 0, err
	}
	return h.txid, f.checkFreelist()
}

// newestHeader reads both meta pages. Bbolt makes do with one, the older if need be, and so forgets the last
// commit. Here both must be sound. A power cut does not tear them: each is within one disk sector.
func newestHeader(r io.ReaderAt, size int64) (header, error) {
	first, err := readHeader(r, 0, 0)
	if err != nil {
		return header{}, fmt.Errorf("first header: %w", err)
	}
	if size < 2*int64(first.pageSize) {
		return header{}, fmt.Errorf("it is cut short: it has only %d bytes", size)
	}
	second, err := readHeader(r, int64(first.pageSize), 1)
	if err != nil {
		return header{}, fmt.Errorf("second header: %w", err)
	}
	if second.pageSize != first.pageSize {
		return header{}, errors.New("its two headers differ in the size of pages")
	}
	if second.txid > first.txid {
		return second, nil
	}
	return first, nil
}

func readHeader(r io.ReaderAt, offset int64, id uint64) (header, error) {
	b := make([]byte, pageHeaderSize+metaSize)
	if _, err := r.ReadAt(b, offset); err != nil {
		return header{}, err
	}
	m := b[pageHeaderSize:]
	sum := fnv.New64a()
	sum.Write(m[:metaSize-8])
	switch {
	case native.Uint64(b) != id || native.Uint16(b[8:]) != metaPage || native.Uint32(m) != boltMagic:
		return header{}, errors.New("it is not one")
	case native.Uint64(m[metaSize-8:]) != sum.Sum64():
		return header{}, errChecksum
	case native.Uint32(m[4:]) != boltVersion:
		return header{}, fmt.Errorf("it is of bbolt's version %d, not %d", native.Uint32(m[4:]), boltVersion)
	}
	h := header{
		pageSize: uint64(native.Uint32(m[8:])),
		root:     native.Uint64(m[16:]),
		freelist: native.Uint64(m[32:]),
		pages:    native.Uint64(m[40:]),
		txid:     native.Uint64(m[48:]),
	}
	if h.pageSize < 512 || h.pageSize > 1<<24 {
		return header{}, fmt.Errorf("pages of %d bytes are not possible", h.pageSize)
	}
	return h, nil
}

// page is one page with its overflow, or the page of a small bucket within another.
type page struct {
	id    uint64
	flags uint16
	count int
	data  []byte // with the header
}

// take reads a page that nothing else refers to.
func (f *pageFile) take(id uint64) (page, error) {
	if id < 2 || id >= f.pages {
		return page{}, fmt.Errorf("page %d: there is no such page", id)
	}
	data := make([]byte, f.pageSize)
	if _, err := f.r.ReadAt(data, int64(id*f.pageSize)); err != nil {
		return page{}, fmt.Errorf("page %d: %w", id, err)
	}
	overflow := uint64(native.Uint32(data[12:]))
	if native.Uint64(data) != id || overflow >= f.pages-id {
		return page{}, fmt.Errorf("page %d: its header is wrong", id)
	}
	for i := id; i <= id+overflow; i++ {
		if f.used[i] {
			return page{}, fmt.Errorf("page %d: it is in two places", i)
		}
		f.used[i] = true
	}
	if overflow > 0 {
		data = append(data, make([]byte, overflow*f.pageSize)...)
		if _, err := f.r.ReadAt(data[f.pageSize:], int64((id+1)*f.pageSize)); err != nil {
			return page{}, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return pageIn(data), nil
}

// pageIn is the page that data, of a page header at least, holds.
func pageIn(data []byte) page {
	return page{native.Uint64(data), native.Uint16(data[8:]), int(native.Uint16(data[10:])), data}
}

// cut is the part of a page that an element at offset refers to.
func (p page) cut(offset int, pos, size uint64) ([]byte, error) {
	from := uint64(offset) + pos
	if from+size > uint64(len(p.data)) {
		return nil, fmt.Errorf("page %d: an entry reaches beyond its end", p.id)
	}
	return p.data[from : from+size], nil
}

func (p page) elements() error {
	if pageHeaderSize+p.count*elementSize > len(p.data) {
		return fmt.Errorf("page %d: %d entries do not fit in it", p.id, p.count)
	}
	return nil
}

// bounds are what a branch says of a child's keys: the first is known, all are below max. Nil says nothing.
type bounds struct{ first, max []byte }

// admit tells whether key may come after last, which is nil for the first key.
func (b bounds) admit(last, key []byte) bool {
	if len(key) == 0 || b.max != nil && bytes.Compare(key, b.max) >= 0 {
		return false
	}
	if last == nil {
		return b.first == nil || bytes.Equal(key, b.first)
	}
	return bytes.Compare(last, key) < 0
}

// entryFunc is called with the entries of a tree in the order of their keys.
type entryFunc func(flags uint32, key, value []byte) error

// walkTree walks over a tree. It ends, and is not deep, because no page is taken twice and a tree whose branches
// have one child each would need as many pages as it is deep.
func (f *pageFile) walkTree(id uint64, within bounds, entry entryFunc) error {
	p, err := f.take(id)
	if err != nil {
		return err
	}
	switch p.flags {
	case branchPage:
		return f.walkBranch(p, within, entry)
	case leafPage:
		return walkLeaf(p, within, entry)
	}
	return fmt.Errorf("page %d: it is neither branch nor leaf", id)
}

func (f *pageFile) walkBranch(p page, within bounds, entry entryFunc) error {
	if p.count == 0 {
		return fmt.Errorf("page %d: it has no entries", p.id)
	}
	if err := p.elements(); err != nil {
		return err
	}
	keys, children := make([][]byte, p.count), make([]uint64, p.count)
	var last []byte
	for i := range p.count {
		offset := pageHeaderSize + i*elementSize
		e := p.data[offset:]
		key, err := p.cut(offset, uint64(native.Uint32(e)), uint64(native.Uint32(e[4:])))
		if err != nil {
			return err
		}
		if !within.admit(last, key) {
			return fmt.Errorf("page %d: its keys are out of order", p.id)
		}
		last, keys[i], children[i] = key, key, native.Uint64(e[8:])
	}
	for i, child := range children {
		b := bounds{keys[i], within.max}
		if i+1 < len(keys) {
			b.max = keys[i+1]
		}
		if err := f.walkTree(child, b, entry); err != nil {
			return err
		}
	}
	return nil
}

func walkLeaf(p page, within bounds, entry entryFunc) error {
	if p.count == 0 && within.first != nil {
		return fmt.Errorf("page %d: it has no entries", p.id)
	}
	if err := p.elements(); err != nil {
		return err
	}
	var last []byte
	for i := range p.count {
		offset := pageHeaderSize + i*elementSize
		e := p.data[offset:]
		pos, ksize, vsize := uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
		key, err := p.cut(offset, pos, ksize)
		if err != nil {
			return err
		}
		value, err := p.cut(offset, pos+ksize, vsize)
		if err != nil {
			return err
		}
		if !within.admit(last, key) {
			return fmt.Errorf("page %d: its keys are out of order", p.id)
		}
		last = key
		if err := entry(native.Uint32(e), key, value); err != nil {
			return err
		}
	}
	return nil
}

// rootEntry is an entry of the file's root: a bucket. A small one has its page in the entry itself.
func (f *pageFile) rootEntry(flags uint32, name, value []byte) error {
	if flags != bucketEntry || len(value) < bucketHeaderSize {
		return fmt.Errorf("bucket %q: it is not one", name)
	}
	f.v.visitBucket(name)
	entry := func(flags uint32, key, value []byte) error {
		if flags != 0 {
			return fmt.Errorf("%s %q: it is not a value", name, key)
		}
		f.v.visit(name, key, value)
		return nil
	}
	if root := native.Uint64(value); root != 0 {
		return f.walkTree(root, bounds{}, entry)
	}
	if len(value) < bucketHeaderSize+pageHeaderSize {
		return fmt.Errorf("bucket %q: it is cut short", name)
	}
	p := pageIn(value[bucketHeaderSize:])
	if p.id != 0 || p.flags != leafPage {
		return fmt.Errorf("bucket %q: its header is wrong", name)
	}
	return walkLeaf(p, bounds{}, entry)
}

// checkFreelist sees to it that no page is called free which is in use: the next commit would overwrite it.
func (f *pageFile) checkFreelist() error {
	if f.freelist == noFreelist {
		return nil
	}
	p, err := f.take(f.freelist)
	if err != nil {
		return err
	}
	if p.flags != freelistPage {
		return fmt.Errorf("page %d: it is not a list of free pages", p.id)
	}
	ids, count := p.data[pageHeaderSize:], uint64(p.count)
	if count == 0xFFFF { // too many for the page's header
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return fmt.Errorf("page %d: %d free pages do not fit in it", p.id, count)
	}
	for i := range count {
		id := native.Uint64(ids[i*8:])
		if id < 2 || id >= f.pages || f.used[id] {
			return fmt.Errorf("page %d: page %d is called free and cannot be", p.id, id)
		}
		f.used[id] = true
	}
	return nil
}
