package local

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"io/fs"
	"testing"

	"github.com/ulikunitz/xz"
)

// member is one member of an archive that a test makes.
type member struct {
	name, content string
	link          string // target, for links
	kind          byte   // of tar; 0: a file
	mode          int64
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Linkname: m.link, Typeflag: m.kind, Mode: m.mode, Size: int64(len(m.content))}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		content := m.content
		if m.link != "" {
			h.SetMode(fs.ModeSymlink | 0o777)
			content = m.link
		} else {
			h.SetMode(fs.FileMode(m.mode) | 0o600)
		}
		part, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipOf(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	return written(t, w, content, &out)
}

func xzOf(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := xz.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, w, content, &out)
}

func written(t testing.TB, w io.WriteCloser, content []byte, out *bytes.Buffer) []byte {
	t.Helper()
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bzip2Of is a tar file with the one member "dir/file", content "packed\n": the standard library does not write bzip2.
func bzip2Of(t testing.TB) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(bzip2Tar)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const bzip2Tar = "QlpoOTFBWSZTWXUxf3cAAHp7kMmQAEhAAP2AAEBvLN4ABAAACCAAVDSRpoGgHlNGmI9QSUjQDQ0ADTQRPtnTSoQUzpCRc17DGLqqECGC3kBr2oRo3VgKsGbxkjuGCh9JzOfcklOAoFe2EFcFUyIgPxdyRThQkHUxf3c="
