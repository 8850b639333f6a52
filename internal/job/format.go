package job

import (
	"context"
	"encoding/json"
	"io"
	"maps"

	"pcapbatch/internal/parquet"
	"pcapbatch/internal/rows"
)

// Format is a format of rows.
type Format uint8

const (
	CSV     Format = iota // RFC 4180, with a header
	Parquet               // Apache Parquet: typed columns, null for what is undefined
)

// ParquetCompression is what the pages of Parquet are compressed with.
const ParquetCompression = parquet.Compression

// write writes the rows in their format. Metadata are for a format that has
// some; top is how many of the largest sessions the report gets.
func (r *run) write(ctx context.Context, j *rows.Joiner, w io.Writer, top int, metadata map[string]string) error {
	var err error
	if r.Format == Parquet {
		err = r.writeParquet(ctx, j, w, metadata)
	} else {
		err = j.Write(ctx, r.encoding(), w)
	}
	r.countRows(top)
	return err
}

// writeParquet writes the rows as Parquet. The options of the sessions are added
// to the metadata.
func (r *run) writeParquet(ctx context.Context, j *rows.Joiner, w io.Writer, metadata map[string]string) error {
	options, err := json.Marshal(r.Sessions)
	if err != nil {
		return err
	}
	more := map[string]string{"pcapbatch.sessions": string(options)}
	maps.Copy(more, metadata)
	p, err := parquet.NewWriter(w, r.layout, parquet.Options{
		Workers: r.Workers, Metadata: more, Spool: r.spoolsRows(), FS: r.FS, Dir: r.TempDir,
	})
	if err != nil {
		return err
	}
	e := rows.Encoding{NewFormatter: func() rows.Formatter { return parquet.NewFormatter(r.layout) }, ChunkRows: parquet.BatchRows(r.layout)}
	defer p.Release()
	if err := j.WriteRows(ctx, e, p); err != nil {
		return err
	}
	return p.Close()
}
