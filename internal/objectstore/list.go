package objectstore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pcapbatch/internal/durable"
)

func (f *FS) stat(path string) (*info, error) {
	n, err := parse(path)
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return f.statDir(n)
	}
	f.takeEarly(path, durable.Names)
	if i := f.known(path); i != nil {
		return i, nil
	}
	i, err := f.head(n)
	if !is(err, errNoKey) {
		return i, err
	}
	below, err := f.statDir(name{n.bucket, n.key + "/"})
	if is(err, errNoneBelow) {
		return nil, pathError("stat", n, errNoObject)
	}
	return below, err
}

// statDir looks whether there are objects in a directory. A bucket is one even
// where it is empty.
func (f *FS) statDir(n name) (*info, error) {
	found := n.key == ""
	err := f.list(n, "", 1, func(string, *info) { found = true })
	if err == nil && !found {
		err = pathError("stat", n, errNoneBelow)
	}
	if err != nil {
		return nil, err
	}
	return &info{base: path.Base("/" + n.bucket + "/" + n.key), dir: true}, nil
}

// head asks for what is known of one object. The answer to HEAD does not say why
// it fails, that to GET does.
func (f *FS) head(n name) (*info, error) {
	out, err := ask(f, f.ctx, "stat", n, func(c *client, o func(*s3.Options)) (*s3.HeadObjectOutput, error) {
		return c.HeadObject(f.ctx, &s3.HeadObjectInput{Bucket: &n.bucket, Key: &n.key}, o)
	})
	if err == nil {
		return f.know(n.String(), headInfo(n, out)), nil
	}
	if r, ok := errors.AsType[*reason](err); !ok || !r.answered || r == errNoKey && f.isBucket(n.bucket) {
		return nil, err
	}
	first := "bytes=0-0"
	_, why := ask(f, f.ctx, "stat", n, func(c *client, o func(*s3.Options)) (*s3.GetObjectOutput, error) {
		out, err := c.GetObject(f.ctx, &s3.GetObjectInput{Bucket: &n.bucket, Key: &n.key, Range: &first}, o)
		if err == nil {
			out.Body.Close()
		}
		return out, err
	})
	return nil, cmp.Or(why, err)
}

func headInfo(n name, out *s3.HeadObjectOutput) *info {
	return &info{
		base: path.Base(n.key), size: aws.ToInt64(out.ContentLength), etag: unquoted(aws.ToString(out.ETag)),
		modified: aws.ToTime(out.LastModified),
	}
}

// isBucket reports whether there is known to be such a bucket.
func (f *FS) isBucket(bucket string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.buckets[bucket]
}

const (
	// mostListed is how many objects a directory may have: what is known of each
	// takes some 500 bytes.
	mostListed = 4_000_000
	// mostEmpty is how many answers in a row may have no object, and say that
	// there are more.
	mostEmpty = 1000
)

// list passes what is in a directory to take: objects, and with a delimiter
// directories, by what their keys have after that of the directory, and whose keys
// go on with prefix. It asks for at most most of them at a time, 0 for what the
// store gives, and then for no more.
func (f *FS) list(n name, prefix string, most int32, take func(base string, i *info)) error {
	in := &s3.ListObjectsV2Input{Bucket: &n.bucket, Prefix: aws.String(n.key + prefix), EncodingType: types.EncodingTypeUrl}
	if most > 0 {
		in.MaxKeys = &most
	} else {
		in.Delimiter = aws.String("/")
	}
	listed, empty := 0, 0
	for {
		out, err := ask(f, f.ctx, "list", n, func(c *client, o func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
			return c.ListObjectsV2(f.ctx, in, o)
		})
		if err != nil {
			return err
		}
		if out.IsTruncated == nil && out.Name == nil && out.KeyCount == nil && len(out.Contents) == 0 {
			return pathError("list", n, &reason{text: "the object store sends something that is no list"})
		}
		if err := f.takeListed(n, out, take); err != nil {
			return err
		}
		token := aws.ToString(out.NextContinuationToken)
		if most > 0 || !aws.ToBool(out.IsTruncated) || token == "" {
			return nil
		}
		got := len(out.Contents) + len(out.CommonPrefixes)
		if empty++; got > 0 {
			empty = 0
		}
		if listed += got; listed > mostListed {
			return pathError("list", n, &reason{text: fmt.Sprintf("there are more than %d objects: --files-from takes lists of some of them", mostListed)})
		}
		if token == aws.ToString(in.ContinuationToken) || empty == mostEmpty {
			return pathError("list", n, &reason{text: "the object store sends a list without an end"})
		}
		in.ContinuationToken = &token
	}
}

// takeListed passes one answer on.
func (f *FS) takeListed(n name, out *s3.ListObjectsV2Output, take func(base string, i *info)) error {
	key := func(s *string) (string, error) {
		if out.EncodingType != types.EncodingTypeUrl { // the store does not know of it
			return aws.ToString(s), nil
		}
		key, err := url.QueryUnescape(aws.ToString(s))
		if err != nil {
			err = pathError("list", n, &reason{text: "the object store encodes the key of an object in a way that cannot be decoded"})
		}
		return key, err
	}
	for i := range out.Contents {
		o := &out.Contents[i]
		k, err := key(o.Key)
		if err != nil {
			return err
		}
		base, ok := strings.CutPrefix(k, n.key)
		if !ok {
			continue
		}
		found := &info{base: path.Base(k), size: aws.ToInt64(o.Size), etag: unquoted(aws.ToString(o.ETag)), modified: aws.ToTime(o.LastModified), listed: true}
		if base != "" && !strings.HasSuffix(k, "/") {
			found = f.know(name{n.bucket, k}.String(), found)
		}
		take(base, found)
	}
	for i := range out.CommonPrefixes {
		k, err := key(out.CommonPrefixes[i].Prefix)
		if err != nil {
			return err
		}
		if base, ok := strings.CutPrefix(k, n.key); ok {
			take(base, &info{base: path.Base(k), dir: true})
		}
	}
	return nil
}

// An entry is one of a directory. Its name has no slash, and may be empty where a
// key has two in a row.
type entry struct {
	fs.DirEntry
	name string
}

func (e entry) Name() string { return e.name }

func (f *FS) readDir(path string) (entries []fs.DirEntry, err error) {
	n, err := parse(path)
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		n.key += "/"
	}
	err = f.list(n, "", 0, func(base string, i *info) {
		if !standsForDir(base, i) {
			entries = append(entries, entry{fs.FileInfoToDirEntry(i), strings.TrimSuffix(base, "/")})
		}
	})
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// standsForDir reports whether an object is one that some tools make for a
// directory: it is no file.
func standsForDir(base string, i *info) bool {
	return !i.dir && (base == "" || strings.HasSuffix(base, "/"))
}

// special are the characters of patterns.
const special = `*?[\`

func (f *FS) glob(pattern string) (matches []string, err error) {
	n, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	if _, err := path.Match(n.key, ""); err != nil {
		return nil, err
	}
	err = f.globIn(name{bucket: n.bucket}, strings.Split(n.key, "/"), &matches)
	slices.Sort(matches)
	return matches, err
}

// globIn adds what the rest of a pattern matches in a directory.
func (f *FS) globIn(dir name, rest []string, matches *[]string) error {
	first, last := rest[0], len(rest) == 1
	at := strings.IndexAny(first, special)
	if at < 0 && !last {
		dir.key += first + "/"
		return f.globIn(dir, rest[1:], matches)
	}
	if at < 0 {
		dir.key += first
		_, err := f.stat(dir.String())
		if err == nil {
			*matches = append(*matches, dir.String())
		} else if is(err, errNoObject, errNoneBelow) {
			err = nil
		}
		return err
	}
	var below []name
	err := f.list(dir, first[:at], 0, func(base string, i *info) {
		if ok, _ := path.Match(first, strings.TrimSuffix(base, "/")); !ok || standsForDir(base, i) {
			return
		}
		n := name{dir.bucket, dir.key + base}
		if last {
			*matches = append(*matches, n.String())
		} else if i.dir {
			below = append(below, n)
		}
	})
	for _, n := range below {
		if err == nil {
			err = f.globIn(n, rest[1:], matches)
		}
	}
	return err
}

// remove removes an object.
func (f *FS) remove(path string) error {
	n, err := parse(path)
	if err != nil {
		return err
	}
	f.forget(path)
	_, err = ask(f, f.ctx, "remove", n, func(c *client, o func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
		return c.DeleteObject(f.ctx, &s3.DeleteObjectInput{Bucket: &n.bucket, Key: &n.key}, o)
	})
	return err
}
