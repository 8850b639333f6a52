// Command archive packs files for a release, so that the same files give the
// same bytes on any machine: in the order of their names, owned by nobody in
// particular, with the modes 0644 and 0755 and the time SOURCE_DATE_EPOCH
// (seconds since 1970).
//
//	archive OUT.tar.gz DIR    a directory, under its own name
//	archive OUT.zip DIR       the same
//	archive OUT.gz FILE       one file, without name and time in its header
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(args []string, epoch string) error {
	if len(args) != 2 {
		return errors.New("usage: archive OUT.tar.gz|OUT.zip|OUT.gz DIR|FILE")
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	pack := gz
	switch {
	case strings.HasSuffix(args[0], ".tar.gz"):
		pack = tarGz
	case strings.HasSuffix(args[0], ".zip"):
		pack = zipped
	}
	out, err := os.Create(args[0])
	if err != nil {
		return err
	}
	return errors.Join(pack(out, args[1], time.Unix(seconds, 0).UTC()), out.Close())
}

// gz compresses one file.
func gz(out io.Writer, name string, _ time.Time) error {
	w, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(appendFile(w, name), w.Close())
}

// tarGz packs a directory as a compressed tar.
func tarGz(out io.Writer, dir string, at time.Time) error {
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	err = walk(dir, func(path, name string, info fs.FileInfo) error {
		h := &tar.Header{Name: name, Mode: mode(info), ModTime: at, Typeflag: tar.TypeDir, Format: tar.FormatUSTAR}
		if !info.IsDir() {
			h.Typeflag, h.Size = tar.TypeReg, info.Size()
		}
		if err := w.WriteHeader(h); err != nil || info.IsDir() {
			return err
		}
		return appendFile(w, path)
	})
	return errors.Join(err, w.Close(), z.Close())
}

// zipped packs a directory as a zip.
func zipped(out io.Writer, dir string, at time.Time) error {
	w := zip.NewWriter(out)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	err := walk(dir, func(path, name string, info fs.FileInfo) error {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at}
		h.SetMode(fs.FileMode(mode(info)) | info.Mode()&fs.ModeDir)
		if info.IsDir() {
			h.Method = zip.Store
		}
		f, err := w.CreateHeader(h)
		if err != nil || info.IsDir() {
			return err
		}
		return appendFile(f, path)
	})
	return errors.Join(err, w.Close())
}

// walk calls pack for dir and all that is in it, in the order of names, with
// the name that it has in the archive.
func walk(dir string, pack func(path, name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a directory", path)
		}
		name, err := filepath.Rel(filepath.Dir(dir), path)
		if info.IsDir() {
			name += "/"
		}
		return errors.Join(err, pack(path, filepath.ToSlash(name), info))
	})
}

// mode is what a file may be used for, whatever the umask of the machine.
func mode(info fs.FileInfo) int64 {
	if info.IsDir() || info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

func appendFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}
