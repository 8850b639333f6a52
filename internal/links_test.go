package internal_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const root = ".."

// markdown lists the Markdown files of the repository, by path from its root.
func markdown(t *testing.T) []string {
	out, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Skipf("git ls-files: %v", err)
	}
	list := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if !slices.Contains(list, "README.md") {
		t.Fatalf("no README.md among %q", list)
	}
	return list
}

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// anchors are the names that links to headings of a page have on GitHub.
func anchors(page string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		name := slug
		for i := 1; names[name]; i++ {
			name = fmt.Sprintf("%s-%d", slug, i)
		}
		names[name] = true
	}
	return names
}

// brokenLinks lists the links of a page at path, which has the given text, to
// files or headings that are not there.
func brokenLinks(path, page string) (broken []string) {
	page = codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(page, ""), "")
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		target := path
		if file != "" {
			target = filepath.Join(filepath.Dir(path), file)
		}
		text, err := os.ReadFile(filepath.Join(root, target))
		if _, missing := os.Stat(filepath.Join(root, target)); missing != nil ||
			strings.HasPrefix(target, "..") || anchor != "" && (err != nil || !anchors(string(text))[anchor]) {
			broken = append(broken, m[1])
		}
	}
	return broken
}

// Every relative link of every page leads to a file of the repository, and one
// with an anchor to a heading.
func TestLinks(t *testing.T) {
	for _, path := range markdown(t) {
		for _, target := range brokenLinks(path, read(t, path)) {
			t.Errorf("%s: the link to %s leads nowhere", path, target)
		}
	}
	page := "[a](../README.md) [b](#no-such) [c](no-such.md) [d](semantics.md#no-such) [e](../../x) `[f](no)` [g](https://no)"
	if got, want := brokenLinks("docs/scale.md", page), []string{"#no-such", "no-such.md", "semantics.md#no-such", "../../x"}; !slices.Equal(got, want) {
		t.Errorf("of %s these are broken: %v, want %v", page, got, want)
	}
}

// wide lists the lines of a page that are longer than 120 characters, where they
// could be shorter: tables, code and links cannot.
func wide(page string) (lines []string) {
	for line := range strings.Lines(codeBlock.ReplaceAllString(page, "")) {
		line = strings.TrimRight(line, "\n")
		if utf8.RuneCountInString(line) > 120 && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "    ") && !strings.Contains(line, "://") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestMarkdownIsWrapped(t *testing.T) {
	for _, path := range markdown(t) {
		for _, line := range wide(read(t, path)) {
			t.Errorf("%s: a line of more than 120 characters: %s", path, line)
		}
	}
	long := strings.Repeat("x ", 61)
	if got := wide(long + "\n| " + long + "\n```\n" + long + "\n```\n    " + long + "\n"); len(got) != 1 {
		t.Errorf("%d lines are too long, want 1", len(got))
	}
}
