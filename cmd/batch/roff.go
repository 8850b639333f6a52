package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A roff is a manual page in the making. What its methods take is formatted
// text (literal, prose, bold, italic), except where they say otherwise.
type roff struct {
	page  []byte
	begun bool // a heading came last: no paragraph need be begun
}

// title begins the page: no word is divided and no line is filled with spaces,
// so that options and names can be searched for and copied.
func (p *roff) title(name, day, source string) {
	p.page = fmt.Appendf(nil, ".TH \"%s\" \"1\" \"%s\" \"%s\" \"User Commands\"\n.nh\n.ad l\n", literal(name), day, literal(source))
}

// heading begins a section (SH) or a group in it (SS).
func (p *roff) heading(macro, title string) {
	p.macro(macro, title)
	p.begun = true
}

// paragraph begins a paragraph.
func (p *roff) paragraph() {
	if !p.begun {
		p.macro("PP")
	}
}

// line writes one line of the source.
func (p *roff) line(s string) {
	p.begun = false
	if strings.HasPrefix(s, ".") {
		p.page = append(p.page, `\&`...) // or it would be a request
	}
	p.page = append(append(p.page, s...), '\n')
}

// macro writes a call of a macro with plain arguments.
func (p *roff) macro(name string, args ...string) {
	p.begun = false
	p.page = append(append(p.page, '.'), name...)
	for _, arg := range args {
		p.page = append(append(append(p.page, ` "`...), literal(arg)...), '"')
	}
	p.page = append(p.page, '\n')
}

// entry writes an entry of a list: a term and what it means.
func (p *roff) entry(term, meaning string) {
	p.macro("TP")
	p.line(term)
	p.line(meaning)
}

// verbatim writes plain lines as they are, in which nothing is wrapped.
func (p *roff) verbatim(lines []string) {
	p.paragraph()
	p.macro("nf")
	for _, line := range lines {
		p.line(literal(line))
	}
	p.macro("fi")
}

// definition is a line of a table in a help text: a term, and behind two spaces
// or more what it means.
var definition = regexp.MustCompile(`^ {1,8}(\S+(?: \S+)*) {2,}(\S.*)$`)

// text writes plain text as help has it: paragraphs, tables of terms, whose
// later lines are indented further, and other lines that are indented, which
// stay as they are.
func (p *roff) text(s string) {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i := 0; i < len(lines); {
		n := i
		switch {
		case lines[i] == "":
			i++
		case !indented(lines[i]):
			for n < len(lines) && lines[n] != "" && !indented(lines[n]) {
				n++
			}
			p.paragraph()
			p.line(prose(strings.TrimSpace(strings.Join(lines[i:n], " "))))
			i = n
		case definition.MatchString(lines[i]):
			m := definition.FindStringSubmatch(lines[i])
			for n++; n < len(lines) && indented(lines[n]) && !definition.MatchString(lines[n]); n++ {
				m[2] += " " + strings.TrimSpace(lines[n])
			}
			p.entry(bold(m[1]), prose(m[2]))
			i = n
		default:
			for n < len(lines) && indented(lines[n]) {
				n++
			}
			p.verbatim(lines[i:n])
			i = n
		}
	}
}

// indented tells lines of tables from those of paragraphs. The space between
// "Exit status:" and what follows it on its line is none.
func indented(line string) bool {
	return strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")
}

// literal escapes plain text of which every character has to stay what it is,
// so that it can be copied from the page (groff_char(7)).
var literal = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`, `"`, `\(dq`).Replace

// flagInText is a flag, or the - of standard streams, in a sentence.
var flagInText = regexp.MustCompile(`(^|[ (\[])(--?[a-z][a-zA-Z-]*|-)($|[^a-zA-Z-])`)

// prose formats a plain sentence, the flags in it bold.
func prose(s string) string {
	var b strings.Builder
	for {
		at := flagInText.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		b.WriteString(sentence(s[:at[4]]))
		b.WriteString(bold(s[at[4]:at[5]]))
		s = s[at[5]:]
	}
	return b.String() + sentence(s)
}

// sentence escapes plain text whose hyphens are hyphens.
var sentence = strings.NewReplacer(`\`, `\e`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`).Replace

// bold and italic format plain text, which for italic is escaped already.
func bold(s string) string   { return `\fB` + literal(s) + `\fR` }
func italic(s string) string { return `\fI` + s + `\fR` }
