package local

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

// packing is how a fetched file is packed, by its name (the suffixes are those of Mesos's fetcher).
type packing uint8

const (
	notPacked packing = iota
	packedTar
	packedZip
	packedGzip // a single file
)

// compression is what a tar file was compressed with.
type compression uint8

const (
	uncompressed compression = iota
	compressedGzip
	compressedBzip2
	compressedXZ
)

var packings = []struct {
	suffix      string
	packing     packing
	compression compression
}{
	{".tar.gz", packedTar, compressedGzip},
	{".tgz", packedTar, compressedGzip},
	{".tar.bz2", packedTar, compressedBzip2},
	{".tbz2", packedTar, compressedBzip2},
	{".tar.xz", packedTar, compressedXZ},
	{".txz", packedTar, compressedXZ},
	{".tar", packedTar, uncompressed},
	{".zip", packedZip, uncompressed},
	{".gz", packedGzip, compressedGzip},
}

// packingOf looks a name's suffix up; rest is the name without it.
func packingOf(name string) (p packing, c compression, rest string) {
	for _, known := range packings {
		if rest, ok := strings.CutSuffix(name, known.suffix); ok && rest != "" {
			return known.packing, known.compression, rest
		}
	}
	return notPacked, uncompressed, name
}

// unpacker writes members of archives below one directory of the sandbox, and nowhere else: names that lead out are
// refused, and os.Root does not follow links that do.
type unpacker struct {
	root *os.Root // the sandbox
	dir  string   // within it
	left int64    // bytes that may still be written
}

// memberCost is what each member costs of the budget besides its content, so that a small archive cannot fill the
// file system's inodes.
const memberCost = 512

// unpack unpacks file, which is below u.dir as name, if its name says that it is an archive.
func (u *unpacker) unpack(file *os.File, name string) error {
	kind, compressed, rest := packingOf(name)
	switch kind {
	case packedTar:
		content, err := decompress(file, compressed)
		if err != nil {
			return err
		}
		return u.untar(tar.NewReader(content))
	case packedZip:
		info, err := file.Stat()
		if err != nil {
			return err
		}
		archive, err := zip.NewReader(file, info.Size())
		if err != nil {
			return err
		}
		return u.unzip(archive)
	case packedGzip:
		content, err := decompress(file, compressed)
		if err != nil {
			return err
		}
		return u.file(rest, content, 0o644, time.Time{})
	}
	return nil
}

func decompress(r io.Reader, c compression) (io.Reader, error) {
	r = bufio.NewReaderSize(r, 64<<10)
	switch c {
	case compressedGzip:
		return gzip.NewReader(r)
	case compressedBzip2:
		return bzip2.NewReader(r), nil
	case compressedXZ:
		return xz.NewReader(r)
	}
	return r, nil
}

func (u *unpacker) untar(archive *tar.Reader) error {
	for {
		member, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		mode := member.FileInfo().Mode()
		switch member.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse:
			err = u.file(member.Name, archive, mode, member.ModTime)
		case tar.TypeDir:
			err = u.directory(member.Name, mode)
		case tar.TypeSymlink:
			err = u.symlink(member.Name, member.Linkname)
		case tar.TypeLink:
			err = u.hardLink(member.Name, member.Linkname)
		case tar.TypeXGlobalHeader:
			err = nil
		default:
			err = fmt.Errorf("member %q is neither file, directory nor link", member.Name)
		}
		if err != nil {
			return err
		}
	}
}

func (u *unpacker) unzip(archive *zip.Reader) error {
	for _, member := range archive.File {
		if err := u.unzipMember(member); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) unzipMember(member *zip.File) error {
	mode := member.Mode()
	if mode.IsDir() {
		return u.directory(member.Name, mode)
	}
	content, err := member.Open()
	if err != nil {
		return fmt.Errorf("member %q: %w", member.Name, err)
	}
	defer content.Close()
	switch {
	case mode.IsRegular():
		return u.file(member.Name, content, mode, member.Modified)
	case mode&fs.ModeSymlink != 0:
		target, err := io.ReadAll(io.LimitReader(content, 4096))
		if err != nil {
			return fmt.Errorf("member %q: %w", member.Name, err)
		}
		return u.symlink(member.Name, string(target))
	}
	return fmt.Errorf("member %q is neither file, directory nor link", member.Name)
}

// place checks a member's name and makes the directories above it. The result is a name within the sandbox.
func (u *unpacker) place(name string) (string, error) {
	clean := path.Clean(name)
	if name == "" || strings.ContainsRune(name, 0) || !filepath.IsLocal(clean) || hasParent(name) {
		return "", fmt.Errorf("member %q would be outside the sandbox", name)
	}
	if u.left -= memberCost; u.left < 0 {
		return "", errTooLarge
	}
	full := path.Join(u.dir, clean)
	if err := u.root.MkdirAll(path.Dir(full), 0o755); err != nil {
		return "", fmt.Errorf("member %q: %w", name, err)
	}
	return full, nil
}

func hasParent(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

func (u *unpacker) file(name string, content io.Reader, mode fs.FileMode, modified time.Time) error {
	full, err := u.place(name)
	if err != nil {
		return err
	}
	if err := u.clear(full); err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	// Bits beyond the permissions (setuid and its like) are never taken over.
	out, err := u.root.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm()|0o600)
	if err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	err = u.copy(out, content)
	if closing := out.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	if !modified.IsZero() {
		_ = u.root.Chtimes(full, modified, modified) // a nicety
	}
	return nil
}

// copy copies within the budget.
func (u *unpacker) copy(out io.Writer, content io.Reader) error {
	n, err := io.Copy(out, io.LimitReader(content, u.left+1))
	if u.left -= n; u.left < 0 {
		return errTooLarge
	}
	return err
}

// clear removes what is in a member's way, as tar does; directories stay.
func (u *unpacker) clear(full string) error {
	info, err := u.root.Lstat(full)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	return u.root.Remove(full)
}

func (u *unpacker) directory(name string, mode fs.FileMode) error {
	full, err := u.place(name)
	if err != nil {
		return err
	}
	if err := u.root.MkdirAll(full, mode.Perm()|0o700); err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	return nil
}

// symlink makes a link that stays within the sandbox, however it is followed.
func (u *unpacker) symlink(name, target string) error {
	full, err := u.place(name)
	if err != nil {
		return err
	}
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(full), target)) {
		return fmt.Errorf("member %q links to %q, outside the sandbox", name, target)
	}
	if err := u.clear(full); err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	return u.root.Symlink(target, full)
}

func (u *unpacker) hardLink(name, target string) error {
	if !filepath.IsLocal(target) || hasParent(target) {
		return fmt.Errorf("member %q links to %q, outside the sandbox", name, target)
	}
	full, err := u.place(name)
	if err != nil {
		return err
	}
	if err := u.clear(full); err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	return u.root.Link(path.Join(u.dir, target), full)
}
