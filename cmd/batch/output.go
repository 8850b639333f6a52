package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/compress"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

// stdoutName stands for standard output.
const stdoutName = "-"

// A destination is what is written to. A file gets the name asked for when it is
// complete, and is on disk then: under that name there is never half of it.
type destination struct {
	io.Writer
	pending *durable.Pending // nil for what is there and not a regular file
	file    *os.File         // that; nil for standard output
	path    string           // empty for standard output
}

// createFile opens a destination: standard output for "" and "-", else a file.
func createFile(ctx context.Context, fsys durable.FS, path string, stdout io.Writer) (*destination, error) {
	d := &destination{Writer: pipeWriter{ctx, stdout}}
	if path == "" || path == stdoutName {
		return d, nil
	}
	d.path = path
	if err := d.create(ctx, fsys); err != nil {
		return nil, d.named(err)
	}
	return d, nil
}

// create opens the file. What exists and is not a regular file, such as a
// device or a FIFO, is written to as it is.
func (d *destination) create(ctx context.Context, fsys durable.FS) (err error) {
	if durable.IsObject(d.path) {
		return d.begin(fsys, d.path)
	}
	info, err := os.Stat(d.path)
	switch {
	case err == nil && info.IsDir():
		return syscall.EISDIR
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && !info.Mode().IsRegular():
		d.file, err = ingest.Await(ctx, func() (*os.File, error) { return os.OpenFile(d.path, os.O_WRONLY, 0) })
		d.Writer = pipeWriter{ctx, namedWriter{d, d.file}}
		return err
	}
	return d.begin(fsys, target(d.path))
}

// begin begins the file that is to get the name path.
func (d *destination) begin(fsys durable.FS, path string) (err error) {
	durable.SweepBeside(path) // what a run that was killed has left
	d.pending, err = durable.CreatePending(fsys, path)
	d.Writer = namedWriter{d, d.pending}
	return err
}

// commit completes the file and gives it its name.
func (d *destination) commit() error {
	switch {
	case d.pending != nil:
		return d.named(d.pending.Commit())
	case d.file != nil:
		return d.named(d.file.Close())
	}
	return nil
}

// abort gives the destination up and leaves nothing behind.
func (d *destination) abort() {
	switch {
	case d.pending != nil:
		d.pending.Abort()
	case d.file != nil:
		d.file.Close()
	}
}

// named puts the name that was asked for into an error in place of others.
func (d *destination) named(err error) error {
	if d.path == "" || err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", d.path, durable.Cause(err))
}

// An output is a destination for text, compressed as its name ends.
type output struct {
	io.Writer
	to         *destination
	compressor *compress.Writer // nil without
}

// compressorOf is the way to compress an output of this name; nil: it is not
// compressed.
func compressorOf(path string) func(w io.Writer, workers int) *compress.Writer {
	switch ending(path) {
	case ".gz":
		return compress.NewGzip
	case ".zst":
		return compress.NewZstd
	}
	return nil
}

// outputMemory is how many bytes writing to path takes with so many workers.
func outputMemory(path string, workers int) int64 {
	if compressorOf(path) == nil {
		return 0
	}
	return compress.Memory(workers)
}

// createOutput opens an output. So many workers compress blocks.
func createOutput(ctx context.Context, fsys durable.FS, path string, stdout io.Writer, workers int) (*output, error) {
	to, err := createFile(ctx, fsys, path, stdout)
	if err != nil {
		return nil, outputError(err)
	}
	o := &output{Writer: to, to: to}
	if compressor := compressorOf(path); compressor != nil {
		o.compressor = compressor(to, workers)
		o.Writer = o.compressor
	}
	return o, nil
}

// commit completes the output and gives it its name.
func (o *output) commit() error {
	if o.compressor != nil {
		if err := o.compressor.Close(); err != nil {
			o.abort()
			return outputError(err)
		}
	}
	if err := o.to.commit(); err != nil {
		return outputError(err)
	}
	return nil
}

// abort gives the output up and leaves nothing behind.
func (o *output) abort() {
	if o.compressor != nil {
		o.compressor.Abandon()
	}
	o.to.abort()
}

// otherFormats are endings of names that stand for something else than the rows
// that are written: whoever uses one expects it to work.
var otherFormats = strings.Fields(`
	.7z .br .bz2 .bz3 .lrz .lz .lz4 .lzma .lzo .rar .sz .tar .tbz2 .tgz .txz .tzst .xz .z .zip .zz
	.arrow .avro .db .duckdb .feather .h5 .hdf5 .ipc .npy .npz .orc .pickle .pkl .pq .rds .sqlite .sqlite3
	.html .json .jsonl .ndjson .md .ods .psv .tsv .xls .xlsx .xml .yaml .yml
	.cap .erf .pcap .pcapng .snoop .part .run`)

const (
	formatCSV     = "csv"
	formatParquet = "parquet"
)

// rowsFormat is the format of rows that are written to path: the one asked for,
// else the one that the name says. It refuses a name that says another.
func rowsFormat(path, asked string) (job.Format, error) {
	end := ending(path)
	packed := end == ".gz" || end == ".zst"
	if packed {
		end = ending(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	}
	name := report.Printable(path)
	isParquet := end == "."+formatParquet
	switch {
	case slices.Contains(otherFormats, end):
		return 0, usageError("--output %s: rows are not written as %s; there are .parquet and .csv (or any other ending), plain, .gz and .zst: compressed", name, end)
	case packed && (isParquet || asked == formatParquet):
		return 0, usageError("--output %s: a Parquet file has its own compression, inside; write it as .parquet", name)
	case asked == formatCSV && isParquet, asked == formatParquet && end == "."+formatCSV:
		return 0, usageError("--output %s: the name says %s, and --format %s", name, end, asked)
	case isParquet || asked == formatParquet:
		return job.Parquet, nil
	}
	return job.CSV, nil
}

func ending(path string) string { return strings.ToLower(filepath.Ext(path)) }

// target is the absolute path, without links, of the file that writing to path
// makes or replaces: also of a link to what is not there yet. That of an object is
// its name.
func target(path string) string {
	if durable.IsObject(path) {
		return path
	}
	for range 40 { // as many links as Linux follows
		link, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			dir, _ := filepath.Split(path) // not Dir, which takes ".." for what it looks like
			link = dir + link
		}
		path = link
	}
	dir, name := filepath.Split(path)
	return filepath.Join(capture.RealPath(cmp.Or(dir, ".")), name)
}

// A namedWriter names the destination in its errors.
type namedWriter struct {
	d *destination
	w io.Writer
}

func (n namedWriter) Write(b []byte) (int, error) {
	done, err := n.w.Write(b)
	return done, n.d.named(err)
}

// A pipeWriter writes to a pipe or terminal that may never be read. A signal
// ends the wait.
type pipeWriter struct {
	ctx context.Context
	w   io.Writer
}

func (p pipeWriter) Write(b []byte) (int, error) {
	return ingest.Await(p.ctx, func() (int, error) { return p.w.Write(b) })
}
