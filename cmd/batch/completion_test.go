package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// completed returns what a shell is told about the last word of a command line,
// and the number of the directive that says what it does with that.
func completed(t *testing.T, words ...string) (list []string, directive string) {
	t.Helper()
	out := strings.Fields(runWith(nil, append([]string{"__completeNoDesc"}, words...)...).stdout)
	if len(out) == 0 {
		t.Fatalf("%q: nothing", words)
	}
	return out[:len(out)-1], out[len(out)-1]
}

// The directives of cobra that are expected.
const (
	anyFile     = ":0"
	withoutFile = ":4"
	listWords   = ":6" // and no space behind what is completed
	withEndings = ":8"
	directories = ":16"
)

func TestCompletion(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.pcap", "a.txt", "b.PCAPNG", "r.pcap", "r.pcap1", "log.pcap.17", "z.pcap.gz", "s.csv.zst", "s.csv", "s.parquet", "s.json", "s.html",
		"only.txt", "p.jsonl", "x.run", "x.part", "evil.pcap$(id)"} {
		mustWrite(t, name, "")
	}
	for _, dir := range []string{"dir/only", "dir.pcap"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("dir", "link"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want, directive string }{
		{"extract |", "pcap PCAPNG pcap.17 pcap1 pcap.gz", withEndings},
		{"extract a", "pcap", withEndings},
		{"extract r", "pcap pcap1", withEndings},
		{"extract only", "", anyFile}, // all files, since none of these is like a capture
		{"extract li", "", directories},
		{"extract dir/", "", directories},
		{"extract missing/", "", anyFile},
		{"extract a.pcap z", "pcap.gz", withEndings},
		{"map --out runs |", "pcap PCAPNG pcap.17 pcap1 pcap.gz", withEndings},
		{"inspect e", "", anyFile},
		{"plan a", "pcap", withEndings},
		{"merge |", "part run", withEndings},
		{"reduce |", "run", withEndings},
		{"verify |", "", anyFile},
		{"compare |", "csv csv.zst parquet", withEndings},
		{"compare a.csv s", "csv csv.zst parquet", withEndings},
		{"compare a.csv b.csv |", "", withoutFile},
		{"fields |", "", withoutFile},
		{"version |", "", withoutFile},
		{"man |", "", directories},
		{"extract -o |", "csv csv.zst parquet", withEndings},
		{"extract --output=s", "csv csv.zst parquet", withEndings},
		{"extract --report |", "html", withEndings},
		{"extract --summary |", "json", withEndings},
		{"extract --summary o", "", anyFile},
		{"extract --labels |", "csv", withEndings},
		{"extract --files-from |", "", anyFile},
		{"map --outcomes |", "jsonl", withEndings},
		{"map --unit |", "jsonl", ":10"},
		{"map --unit p.jsonl:", "", withoutFile},
		{"map --out |", "", directories},
		{"extract --state |", "", directories},
		{"extract --temp-dir |", "", directories},
		{"reduce --report-out |", "", directories},
		{"extract --idle-timeout |", "", withoutFile},
		{"extract --memory |", "", withoutFile},
		{"extract --key |", "vlan capture", listWords},
		{"extract --key vlan,", "vlan,capture", listWords},
		{"extract --undefined |", "zero empty", withoutFile},
		{"extract --format |", "csv parquet", withoutFile},
		{"fields --schema |", "cicflowmeter nfstream", withoutFile},
		{"extract --features basic,t", "basic,totals basic,tcp basic,time", listWords},
		{"extract --columns src_ip,src_", "src_ip,src_port", listWords},
		{"extract --columns label", "", listWords},
		{"extract --labels rules.csv --columns label", "label", listWords},
		{"extract --columns src_v", "", listWords},
		{"extract --columns total_b", "", listWords},
		{"extract --features totals --columns total_b", "total_bytes", listWords},
		{"extract --quantiles 5 --columns iat_p", "iat_p5_s", listWords},
		{"extract --schema nfstream --columns src_i", "src_ip", listWords},
		{"extract --schema nfstream --features tcp --columns |", "", listWords}, // which is refused
		{"merge --columns vlan", "vlan_outer vlan_inner", listWords},
		{"extract --decapsulate --tunnel-port vx", "vxlan= vxlan-gpe=", listWords},
		{"extract --decapsulate --tunnel-port vxlan=1,vxlan-", "vxlan=1,vxlan-gpe=", listWords},
	} {
		words := strings.Fields(c.line)
		if last := len(words) - 1; words[last] == "|" { // nothing was typed yet
			words[last] = ""
		}
		list, directive := completed(t, words...)
		want := strings.Fields(c.want)
		slices.Sort(list)
		slices.Sort(want)
		if !slices.Equal(list, want) || directive != c.directive {
			t.Errorf("%s: %q %s, want %q %s", c.line, list, directive, want, c.directive)
		}
	}
}

// No flag is without a completion that fits its placeholder: only files and
// directories complete to names of files.
func TestCompletionOfEveryFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	root := newRoot(&env{})
	for _, cmd := range root.Commands() {
		for _, line := range strings.Split(cmd.LocalFlags().FlagUsages(), "\n") {
			words := strings.Fields(line)
			at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
			if at < 0 || at+1 >= len(words) || strings.ToUpper(words[at+1]) != words[at+1] || cmd.Name() == "completion" {
				continue
			}
			_, directive := completed(t, cmd.Name(), words[at], "")
			files := directive == anyFile || directive == directories || directive == ":2" // no space behind PLAN
			if placeholder := words[at+1]; files != (placeholder == "FILE" || placeholder == "DIR" || placeholder == "PLAN:N") {
				t.Errorf("%s %s %s: directive %s", cmd.Name(), words[at], placeholder, directive)
			}
		}
	}
}

// Shells complete for real: what is typed and a tab give the line expected.
func TestCompletionInShells(t *testing.T) {
	if testing.Short() {
		t.Skip("types into terminals")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("no tmux: ", err)
	}
	const bashCompletion = "/usr/share/bash-completion/bash_completion"
	for _, shell := range []struct {
		name, command, setup, needs string
		filters                     bool // by the endings of files
	}{
		{"bash", "bash --norc --noprofile -i", ". " + bashCompletion + "; . <(batch completion bash); PS1='> '", bashCompletion, true},
		{"zsh", "zsh -f -i", "autoload -U compinit; compinit -u -D; . <(batch completion zsh); PS1='> '", "", true},
		{"fish", "fish --no-config -i", "batch completion fish | source; function fish_prompt; echo -n '> '; end; set fish_autosuggestion_enabled 0", "", false},
	} {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell.name); err != nil {
				t.Skip(err)
			}
			if _, err := os.Stat(shell.needs); shell.needs != "" && err != nil {
				t.Skip("no bash-completion: ", err)
			}
			s := newTypist(t, shell.command)
			s.typed(shell.setup + "; clear\n")
			s.await("a prompt", func(lines []string) bool { return slices.Equal(lines, []string{">"}) })
			s.completes("batch extr", "batch extract")
			s.completes("batch extract --summ", "batch extract --summary")
			s.completes("batch extract --direction uni", "batch extract --direction unidirectional")
			s.completes("batch extract --columns src_ip,dst_p", "batch extract --columns src_ip,dst_port")
			s.completes("batch extract --columns src_ip,dst_ip,dst_p", "batch extract --columns src_ip,dst_ip,dst_port")
			s.completes("batch extract --key=capture,v", "batch extract --key=capture,vlan")
			s.completes("batch extract onl", "batch extract only.txt")
			s.completes(`batch extract a\$\(touch\ hurt\).pcap --dire`, `batch extract a\$\(touch\ hurt\).pcap --direction`)
			if _, err := os.Stat(filepath.Join(s.dir, "work", "hurt")); err == nil {
				t.Error("what stands in the name of a file was run")
			}
			s.completes("batch extract --tunnel-port gtp", "batch extract --tunnel-port gtp-u=")
			if shell.filters {
				s.completes("batch extract tra", "batch extract traffic.pcap1.gz")
				s.completes("batch extract -o sess", "batch extract -o sessions.csv.zst")
				s.completes("batch extract --output=sess", "batch extract --output=sessions.csv.zst")
				s.completes("batch extract --state k", "batch extract --state kept/")
				s.completes("batch extract --report sess", "batch extract --report sessions.html")
			}
		})
	}
}

// newTypist starts a shell in a terminal, in a directory with a few files.
func newTypist(t *testing.T, command string) *tmuxSession {
	s := &tmuxSession{t, t.TempDir()}
	work := filepath.Join(s.dir, "work")
	if err := os.MkdirAll(filepath.Join(work, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"only.txt", "traffic.pcap1.gz", "traffic.txt", "sessions.csv.zst", "sessions.html", "sessions.log"} {
		mustWrite(t, filepath.Join(work, name), "")
	}
	s.run("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "20", "-c", work, "env HISTFILE= HOME="+s.dir+" "+command)
	t.Cleanup(func() {
		exec.Command("tmux", "-S", s.socket(), "kill-server").Run()
		for range 100 { // until the shell is gone, it may write to its home
			if os.RemoveAll(s.dir) == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	return s
}

// typed types text.
func (s *tmuxSession) typed(text string) {
	s.t.Helper()
	s.run("send-keys", "-l", text)
}

// completes types a line and a tab, waits for the line it becomes, and removes
// that.
func (s *tmuxSession) completes(line, want string) {
	s.t.Helper()
	s.typed(line)
	s.await("what was typed", func(lines []string) bool { return slices.Contains(lines, "> "+line) })
	s.run("send-keys", "Tab")
	s.await("the line "+want, func(lines []string) bool { return slices.Contains(lines, "> "+want) })
	s.run("send-keys", "C-u")
	s.await("an empty line", func(lines []string) bool { return len(lines) > 0 && lines[len(lines)-1] == ">" })
}
