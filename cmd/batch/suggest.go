package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pcapbatch/internal/job"
)

// defaultName is what the program is called in its own texts. A package may
// install it under another one, as batch is a command of POSIX.
const defaultName = "batch"

// programName returns the name that the program was called by.
func programName(args []string) string {
	if len(args) == 0 {
		return defaultName
	}
	return cmp.Or(strings.TrimSuffix(filepath.Base(args[0]), ".exe"), defaultName)
}

// ownName finds the name of the program in front of one of its commands.
var ownName = regexp.MustCompile(`\b` + defaultName + ` (extract|merge|map|reduce|inspect|verify|compare|fields|version|help|completion|FILE|COMMAND)\b`)

// named returns a text with the name that the program was called by.
func (e *env) named(text string) string {
	if e.name == defaultName {
		return text
	}
	return ownName.ReplaceAllString(text, e.name+" $1")
}

// speakOf puts the name that the program was called by into what a command and
// those below it say.
func (e *env) speakOf(cmd *cobra.Command) {
	if e.name == defaultName {
		return
	}
	if !cmd.HasParent() {
		cmd.Use = e.name
		cmd.Long = strings.Replace(cmd.Long, defaultName+" reads", e.name+" reads", 1)
	}
	cmd.Long, cmd.Example, cmd.Short = e.named(cmd.Long), e.named(cmd.Example), e.named(cmd.Short)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = e.named(f.Usage) })
	for _, child := range cmd.Commands() {
		e.speakOf(child)
	}
}

// unquote takes the marks of placeholders out of the texts of flags, which
// shells show as they are.
func unquote(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	for _, child := range cmd.Commands() {
		unquote(child)
	}
}

// helpOf is the command that helps with cmd.
func helpOf(cmd *cobra.Command) string {
	root := cmd.Root().Name()
	if cmd.Name() == "help" {
		cmd = cmd.Root()
	}
	return strings.TrimSpace(root + " help" + strings.TrimPrefix(cmd.CommandPath(), root))
}

// suggest says what was perhaps meant where args[0] is no command: one with a
// similar name, or a capture.
func suggest(cmd *cobra.Command, args []string, err error) error {
	if err == nil || cmd.HasParent() || len(args) == 0 || strings.HasPrefix(args[0], "-") || job.CategoryOf(err) != job.Unknown {
		return err
	}
	text := fmt.Sprintf("%q is no command", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usageError("%s: did you mean %s?", text, strings.Join(near, " or "))
	}
	if _, err := os.Stat(args[0]); err == nil {
		return usageError("%s: did you mean '%s extract %s'?", text, cmd.Name(), args[0])
	}
	return usageError("%s", text)
}

// flagError explains an error of the flags of cmd.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		if near := nearestFlag(cmd, unknown.GetSpecifiedName()); near != "" {
			return usageError("%w: did you mean --%s?", err, near)
		}
	}
	return usageError("%w", err)
}

// nearestFlag returns the flag of cmd that is most like name, or "" if none is
// much like it.
func nearestFlag(cmd *cobra.Command, name string) (near string) {
	best := 1 + len(name)/3
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		d := distance(name, f.Name)
		if strings.HasPrefix(f.Name, name) {
			d = 1
		}
		if d <= best && (near == "" || d < best) {
			best, near = d, f.Name
		}
	})
	return near
}

// distance is the number of characters to be changed, added or removed to get
// from one word to another (Levenshtein, 1965).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0]++
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// newHelp is the command help: cobra's own succeeds for topics that do not
// exist.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range root.Commands() {
				if len(args) == 0 && c.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil && len(rest) == 0 {
				cmd.InitDefaultHelpFlag()
				cmd.InitDefaultVersionFlag()
				return cmd.Help()
			}
			text := fmt.Sprintf("there is no help about %q", strings.Join(args, " "))
			if near := root.SuggestionsFor(args[0]); len(near) > 0 {
				text += ": did you mean " + strings.Join(slices.Sorted(slices.Values(near)), " or ") + "?"
			}
			return usageError("%s", text)
		},
	}
}
