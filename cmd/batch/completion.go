package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pcapbatch/internal/job"
	"pcapbatch/internal/writer"
)

// What shells complete: 'batch completion' prints scripts that ask the hidden
// command __complete, and that asks the functions here.

// Endings of file names, as regular expressions.
const (
	// Captures are recognised by content, and these are the names they usually
	// have: of every format and compression that reader knows, and with the
	// numbers of rotated files, as in a.pcap12 and log.pcap.1700000000.
	captureEndings = `(pcap|pcapng|cap|ntar|dmp|snoop|erf)(\.?[0-9]+)?(\.(gz|bgz|bgzf|zst|zstd|lz4|xz|bz2))?`
	tableEndings   = `csv|csv\.gz|csv\.zst|parquet`
)

// tableName matches the names of tables.
var tableName = regexp.MustCompile(`(?i)\.(` + tableEndings + `)$`)

// argumentEndings are the endings of the files that commands take as arguments.
var argumentEndings = map[string]string{
	"extract": captureEndings,
	"map":     captureEndings,
	"plan":    captureEndings,
	"inspect": captureEndings,
	"compare": tableEndings,
	"merge":   "run|pack|part",
	"reduce":  "run|pack",
}

// flagEndings are the endings of the files that flags take. Other flags whose
// placeholder is FILE take any file.
var flagEndings = map[string]string{
	"output":   tableEndings,
	"summary":  `json(\.gz|\.zst)?`,
	"report":   `html?(\.gz|\.zst)?`,
	"labels":   "csv",
	"outcomes": "jsonl",
	"unit":     "jsonl",
}

// completions tells shells how to complete the arguments and flags of cmd and of
// the commands below it.
func completions(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		_ = cmd.RegisterFlagCompletionFunc(f.Name, flagCompletion(f))
	})
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = argumentCompletion(cmd)
	}
	for _, child := range cmd.Commands() {
		if child.Name() != "completion" {
			completions(child)
		}
	}
}

// mendCompletion replaces what is wrong in cobra's command for completion. Its
// script for bash puts a backslash before the commas of a list, and then does not
// find the list's next word. That for fish takes --flag=value, where it is the
// only one left, for an option of its own, and runs what stands in parentheses in
// the names of files that were completed. The command succeeds for shells that do
// not exist. Requires: the output of root is set.
func (e *env) mendCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	cmd, _, err := root.Find([]string{"completion"})
	if err != nil {
		panic("completion: " + err.Error())
	}
	cmd.Short = "Print a script that makes a shell complete the program"
	cmd.Long = e.named(`Prints a script for a shell, which completes commands, flags and their values
with it. 'batch completion bash --help' says how bash learns it for good, and so
on.`)
	cmd.Args = nil // RunE says what is wrong
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError("there are completions for bash, zsh, fish and powershell, not for %s", args[0])
		}
		return cmd.Help()
	}
	mend(root, "bash", root.GenBashCompletionV2,
		"_process_completion_results\n}", "_process_completion_results\n    COMPREPLY=(\"${COMPREPLY[@]//\\\\,/,}\")\n}")
	mend(root, "fish", root.GenFishCompletion,
		`string split --max 1 \t $`, `string split --max 1 -- \t $`,
		"set -l args (commandline -opc)\n", "set -l args (commandline -opc)\n    set args $args[1] (string escape -- $args[2..-1])\n")
}

// mend replaces texts, of which each is followed by what replaces it, in the
// script for a shell.
func mend(root *cobra.Command, shell string, script func(w io.Writer, descriptions bool) error, texts ...string) {
	cmd, _, err := root.Find([]string{"completion", shell})
	if err != nil {
		panic("completion: " + err.Error())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var b strings.Builder
		plain, err := cmd.Flags().GetBool("no-descriptions")
		if err == nil {
			err = script(&b, !plain)
		}
		if err == nil {
			_, err = io.WriteString(cmd.OutOrStdout(), strings.NewReplacer(texts...).Replace(b.String()))
		}
		return err
	}
}

// argumentCompletion completes the arguments of a command.
func argumentCompletion(cmd *cobra.Command) cobra.CompletionFunc {
	files := completeFiles(argumentEndings[cmd.Name()])
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case cmd.Name() == "man" && len(args) == 0:
			return nil, cobra.ShellCompDirectiveFilterDirs
		case cmd.Name() == "verify":
			return nil, cobra.ShellCompDirectiveDefault
		case argumentEndings[cmd.Name()] == "", cmd.Name() == "compare" && len(args) == 2:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return files(cmd, args, typed)
	}
}

// flagCompletion completes the value of a flag: one of a few words, a list of
// such words, a directory, a file, or something that only the user knows.
func flagCompletion(f *pflag.Flag) cobra.CompletionFunc {
	switch v := f.Value.(type) {
	case *choice:
		return cobra.FixedCompletions(v.named(), cobra.ShellCompDirectiveNoFileComp)
	case *words:
		return completeList(func(*cobra.Command) []string { return v.known })
	}
	switch f.Name {
	case "features":
		return completeList(featureNames)
	case "columns":
		return completeList(columnNames)
	case "tunnel-port":
		return completeTunnels
	case "unit":
		return completeUnit
	}
	switch placeholder, _ := pflag.UnquoteUsage(f); placeholder {
	case "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "FILE":
		return completeFiles(flagEndings[f.Name])
	}
	return cobra.NoFileCompletions
}

// completeFiles completes names of directories and of files with some endings;
// those of all files where no name that begins with what was typed is one of
// these, so that nobody has to type the name of a file that is there.
func completeFiles(endings string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if endings == "" {
			return nil, cobra.ShellCompDirectiveDefault
		}
		met, dirs := endingsMet(typed, regexp.MustCompile(`(?i)\.(`+endings+`)$`))
		switch {
		case len(met) > 0 && len(met) <= mostEndings:
			return met, cobra.ShellCompDirectiveFilterFileExt
		case len(met) == 0 && dirs:
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

// mostEndings is how many endings a shell is given. A directory of rotated files
// may have more; then it offers all files.
const mostEndings = 64

// endingsMet returns the endings, without their first point, of the files whose
// paths begin with what was typed, and whether there are directories.
func endingsMet(typed string, endings *regexp.Regexp) (met []string, dirs bool) {
	dir, begin := filepath.Split(typed)
	if dir == "" {
		dir = "."
	}
	entries, _ := os.ReadDir(dir) // one that cannot be read offers nothing
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, begin) {
			continue
		}
		if isDir(dir, e) {
			dirs = true
		} else if end := endings.FindString(name); end != "" && !slices.Contains(met, end[1:]) && len(met) <= mostEndings {
			met = append(met, end[1:])
		}
	}
	return met, dirs
}

// isDir reports whether an entry is a directory or a link to one.
func isDir(dir string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	return err == nil && info.IsDir()
}

// completeList completes the last word of a list with commas.
func completeList(known func(cmd *cobra.Command) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var list []cobra.Completion
		for _, word := range known(cmd) {
			if strings.HasPrefix(before+word, typed) && !slices.Contains(strings.Split(before, ","), word) {
				list = append(list, before+word)
			}
		}
		return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// completeTunnels completes the name of the last tunnel of a list, with the sign
// before its port.
func completeTunnels(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var list []cobra.Completion
	for _, name := range job.TunnelNames() {
		if entry := typed[:strings.LastIndexByte(typed, ',')+1] + name + "="; strings.HasPrefix(entry, typed) {
			list = append(list, entry)
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeUnit completes the file of PLAN:N.
func completeUnit(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if strings.Contains(typed, ":") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, directive := completeFiles(flagEndings["unit"])(cmd, args, typed)
	return list, directive | cobra.ShellCompDirectiveNoSpace
}

// featureNames are the words of --features.
func featureNames(*cobra.Command) (names []string) {
	for _, group := range append(writer.FeatureGroups(), writer.All) {
		names = append(names, string(group))
	}
	return names
}

// columnNames are the columns that the flags of cmd ask for; none where they
// contradict each other.
func columnNames(cmd *cobra.Command) []string {
	flags := cmd.Flags()
	value := func(name string) string { return flags.Lookup(name).Value.String() }
	o := writer.Options{Schema: value("schema")}
	if o.Schema == "" || flags.Changed("features") {
		groups, _ := flags.GetStringSlice("features")
		for _, name := range groups {
			o.Features = append(o.Features, writer.Group(name))
		}
	}
	o.Quantiles, _ = writer.ParseQuantiles(value("quantiles"))
	o.Sequence, _ = flags.GetInt("sequence")
	key := flags.Lookup("key") // none where run files have the key
	o.VLAN = key == nil || key.Value.(*words).has("vlan")
	if key == nil || key.Value.(*words).has("capture") {
		o.Capture = writer.NoText
	}
	if value("labels") != "" {
		o.Label = writer.NoLabel
	}
	layout, err := writer.NewLayout(o)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(layout.Header()), ",")
}
