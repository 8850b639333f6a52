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

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
	"pcapbatch/internal/writer"
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
var ownName = regexp.MustCompile(`\b` + defaultName + ` (extract|merge|plan|map|reduce|inspect|verify|compare|fields|version|help|completion|FILE|COMMAND)\b`)

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
// similar name, a capture, or a flag of a command.
func suggest(cmd *cobra.Command, args []string, err error) error {
	if err == nil || cmd.HasParent() || len(args) == 0 {
		return err
	}
	if strings.HasPrefix(args[0], "-") && len(args) > 1 {
		return usageError("%s: the command comes first, as in '%s extract %[1]s'", args[0], cmd.Name())
	}
	if strings.HasPrefix(args[0], "-") || job.CategoryOf(err) != job.Unknown {
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

// oneDash refuses a flag that has one dash where it needs two, such as -output,
// which would otherwise be taken for -o with the value utput.
func oneDash(root *cobra.Command, args []string) (*cobra.Command, error) {
	cmd, _, err := root.Find(args)
	if err != nil {
		return root, nil // which Execute reports
	}
	cmd.InitDefaultHelpFlag()
	for _, arg := range args {
		if arg == "--" {
			break
		}
		name, ok := strings.CutPrefix(arg, "-")
		name, _, _ = strings.Cut(name, "=")
		if ok && len(name) > 1 && cmd.Flags().Lookup(name) != nil {
			return cmd, usageError("%s: did you mean --%s?", arg, name)
		}
	}
	return cmd, nil
}

// takes are the arguments of a command that takes n of them; what says which.
func takes(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError("%s takes %s; given: %d", cmd.Name(), what, len(args))
		}
		return nil
	}
}

// emptyName refuses the name of a file or directory that is given and empty, as
// that of a variable of a shell that was not set.
func emptyName(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if what, _ := pflag.UnquoteUsage(f); (what == "FILE" || what == "DIR") && f.Value.String() == "" {
			err = cmp.Or(err, usageError("--%s: the name is empty", f.Name))
		}
	})
	return err
}

// flagError explains an error of the flags of cmd.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		switch f := invalid.GetFlag(); f.Value.Type() {
		case "int":
			return usageError("--%s %s: must be a whole number", f.Name, invalid.GetValue())
		case "bool":
			return usageError("--%s=%s: must be true or false", f.Name, invalid.GetValue())
		}
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		if near := nearestFlag(cmd, unknown.GetSpecifiedName()); near != "" {
			return usageError("%w: did you mean --%s?", err, near)
		}
	}
	return usageError("%w", err)
}

// noCapture refuses what is no name of a capture, for what it is: a word of a
// list that blanks divide, or a URL.
func noCapture(arg string) error {
	if arg == "" {
		return usageError("the name of a capture is empty")
	}
	if scheme, _, ok := strings.Cut(arg, "://"); ok && !durable.IsObject(arg) && regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`).MatchString(scheme) {
		return usageError("%s: captures are files or s3://BUCKET/KEY; others come through a pipe: curl -s URL | batch extract -", report.Printable(arg))
	}
	if strings.ContainsAny(arg, "/.") { // as nearly all names of captures do
		return nil
	}
	if _, err := os.Stat(arg); err == nil {
		return nil
	}
	if slices.Contains(featureNames(nil), arg) || slices.ContainsFunc(writer.Dictionary(), func(c writer.Column) bool { return c.Name == arg }) {
		return usageError("there is no file %s; lists have commas and no blanks, as in --features basic,tcp", arg)
	}
	return nil
}

// number finds what stands for Q and i in the names of writer.Dictionary.
var number = regexp.MustCompile(`[0-9]+([._][0-9]+)?`)

// explainColumn says which flag asks for a column that is not in what o asks for,
// or which column was perhaps meant. Other errors are reported as they are.
func explainColumn(err error, o writer.Options) error {
	unknown, ok := errors.AsType[*writer.UnknownColumnError](err)
	if !ok {
		return usageError("%w", err)
	}
	text := fmt.Sprintf("--columns: there is no column %q in what is asked for", unknown.Name)
	quantile, packet := number.ReplaceAllString(unknown.Name, "Q"), number.ReplaceAllString(unknown.Name, "i")
	for _, c := range writer.Dictionary() {
		if o.Schema == "" && (c.Name == unknown.Name || c.Name == quantile || c.Name == packet) {
			return usageError("%s: %s has it", text, groupFlag(c.Group))
		}
	}
	o.Columns = nil
	layout, failed := writer.NewLayout(o)
	if failed != nil {
		return usageError("%w", failed)
	}
	best, near := 1+len(unknown.Name)/3, ""
	for _, c := range layout.Columns() {
		if d := distance(unknown.Name, c.Name); d <= best && (near == "" || d < best) {
			best, near = d, c.Name
		}
	}
	if near != "" {
		return usageError("%s: did you mean %s?", text, near)
	}
	return usageError("%w", err)
}

// groupFlag is the flag that asks for a group of columns.
func groupFlag(g writer.Group) string {
	switch g {
	case writer.Label:
		return "--labels"
	case writer.VLAN, writer.Capture:
		return "--key " + string(g)
	case writer.Quantiles, writer.Sequence:
		return "--" + string(g)
	}
	return "--features " + string(g)
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
		Use:     "help [COMMAND | exit]",
		GroupID: "about",
		Short:   "Help about a command, or about exit statuses",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range root.Commands() {
				if len(args) == 0 && c.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			if len(args) == 0 {
				names = append(names, cobra.CompletionWithDesc("exit", "Exit statuses"))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(help *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains([]string{"exit", "status", "exit-status"}, args[0]) {
				_, err := fmt.Fprintln(help.OutOrStdout(), exitHelp)
				return err
			}
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
