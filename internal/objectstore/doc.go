// Package objectstore reads and writes objects by the S3 protocol, as files of a
// durable.FS: those of Amazon, and of whatever store speaks it (MinIO, Ceph, R2,
// Google's interoperable interface).
//
// An FS sends the names of objects, s3://BUCKET/KEY, to the store, and all others
// to the file system that it was made with. Nothing of the store is set up before
// the first of such names is used. Only the command imports this package, and
// only this package imports the SDK.
//
// A key is what follows the bucket, byte for byte: nothing is decoded or cleaned.
// What is common to keys up to a slash is a directory. Objects are read in ranges
// (Source, File), several requests side by side where bytes are read one after
// the other; each range is asked for by the ETag that the object had when it was
// first met, so that an object that changes while it is read is an error. They are
// written in parts, and appear when all are there (upload).
//
// Any number of goroutines may use an FS; a file belongs to one, but for ReadAt.
// Goroutines fill ranges and send parts; they end when their file is closed, or
// with the context of the FS, which ends every request.
//
// Memory: buffers for ranges and parts, which share a budget (FS.Limit). A file
// that finds it empty goes on with a buffer of leastRange, or leastPart, bytes.
//
// References: Amazon S3 API reference, version 2006-03-01; multipart limits as in
// "Amazon S3 multipart upload limits" of its user guide.
package objectstore
