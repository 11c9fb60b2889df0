//! Which delimiter and which quotes a text file has, by what makes its lines alike.

/// Delimiters; where two fit equally well the one that stands first, for it is the rarer one in values.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];
/// Lines that are looked at.
const MOST_LINES: usize = 500;

/// How the fields of a text are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    /// The first line only names the delimiter, as Excel understands it.
    pub(super) named: bool,
}

/// Looks at the beginning of a text, which may end anywhere.
pub(super) fn find(text: &str) -> Dialect {
    if let Some(delimiter) = named(text) {
        return Dialect { delimiter, quote: b'"', named: true };
    }
    let mut best: Option<(Score, Dialect)> = None;
    for quote in [b'"', b'\''] {
        for delimiter in DELIMITERS {
            let score = score(text.as_bytes(), delimiter, quote);
            let better = best.as_ref().is_none_or(|(best, _)| score.is_better_than(best));
            // Apostrophes are quotes only where they are used as quotes all over.
            if better && (quote == b'"' || score.quoted * 2 > score.lines && score.flaws == 0) {
                best = Some((score, Dialect { delimiter, quote, named: false }));
            }
        }
    }
    let found = best.filter(|(score, _)| score.fields > 1).map(|(_, dialect)| dialect);
    found.unwrap_or(Dialect { delimiter: b',', quote: b'"', named: false })
}

fn named(text: &str) -> Option<u8> {
    let line = text.lines().next()?.trim_end_matches('\r').trim_matches('"');
    let sign = line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).and_then(|_| line.get(4..))?;
    match *sign.as_bytes() {
        [delimiter] if delimiter.is_ascii() && !matches!(delimiter, b'"' | b'\r' | b'\n') => Some(delimiter),
        _ => None,
    }
}

/// How well a delimiter fits.
struct Score {
    /// Lines that are not blank.
    lines: usize,
    /// Fields of most lines.
    fields: usize,
    /// Lines with so many fields.
    alike: usize,
    /// Lines with a field in quotes.
    quoted: usize,
    /// Quotes that end where no field ends.
    flaws: usize,
}

impl Score {
    fn is_better_than(&self, other: &Self) -> bool {
        // Lines alike, less those with flaws, in hundredths; one field a line is no table, unless all else is worse.
        let worth = |score: &Self| {
            if score.fields < 2 { 0 } else { (score.alike.saturating_sub(score.flaws) * 100 / score.lines.max(1)).max(1) }
        };
        worth(self) > worth(other)
    }
}

fn score(text: &[u8], delimiter: u8, quote: u8) -> Score {
    let mut counts: Vec<usize> = Vec::new();
    let mut score = Score { lines: 0, fields: 0, alike: 0, quoted: 0, flaws: 0 };
    let mut rest = text;
    while !rest.is_empty() && counts.len() < MOST_LINES {
        let line = line(rest, delimiter, quote);
        rest = rest.get(line.length..).unwrap_or_default();
        // The last line may be cut.
        if (line.fields == 1 && line.blank) || (rest.is_empty() && !line.ended && !counts.is_empty()) {
            continue;
        }
        score.quoted += usize::from(line.quoted);
        score.flaws += usize::from(line.flawed);
        counts.push(line.fields);
    }
    counts.sort_unstable();
    score.lines = counts.len();
    for same in counts.chunk_by(|a, b| a == b) {
        if same.len() >= score.alike {
            score.alike = same.len();
            score.fields = same.first().copied().unwrap_or_default();
        }
    }
    score
}

struct Line {
    length: usize,
    fields: usize,
    blank: bool,
    quoted: bool,
    flawed: bool,
    ended: bool,
}

fn line(bytes: &[u8], delimiter: u8, quote: u8) -> Line {
    let mut line = Line { length: bytes.len(), fields: 1, blank: true, quoted: false, flawed: false, ended: false };
    let (mut inside, mut at_start) = (false, true);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        at += 1;
        line.blank &= byte.is_ascii_whitespace();
        if inside {
            if byte == quote && next == Some(quote) {
                at += 1;
            } else if byte == quote {
                inside = false;
                line.flawed |= next.is_some_and(|next| next != delimiter && next != b'\r' && next != b'\n');
            }
            continue;
        }
        match byte {
            b'\r' | b'\n' => {
                line.length = if byte == b'\r' && next == Some(b'\n') { at + 1 } else { at };
                line.ended = true;
                return line;
            }
            _ if byte == delimiter => {
                line.fields += 1;
                at_start = true;
                continue;
            }
            _ if byte == quote && at_start => (inside, line.quoted) = (true, true),
            _ => {}
        }
        at_start = false;
    }
    // The end of the sample within quotes: they may belong to a longer text, or to none.
    line.flawed |= inside;
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiter(text: &str) -> char {
        char::from(find(text).delimiter)
    }

    #[test]
    fn delimiters_are_found_by_what_lines_have_in_common() {
        assert_eq!(delimiter("a,b,c\n1,2,3\n4,5,6\n"), ',');
        assert_eq!(delimiter("a;b\n1,5;2,5\n3,25;4,0\n"), ';');
        assert_eq!(delimiter("a\tb\n1,000\t2,000\n"), '\t');
        assert_eq!(delimiter("a|b\r1|2\r3|4"), '|');
        assert_eq!(delimiter("name,note\nKim,\"a; b\"\nLee,\"c; d; e\"\n"), ',');
        assert_eq!(delimiter("\"a;b\",\"c;d\"\n\"e;f\",\"g;h\"\n"), ',');
        assert_eq!(delimiter("report of 2024\n\nname,amount\nKim,3\nLee,4\nPark,5\n"), ',');
        assert_eq!(delimiter("one\ntwo\nthree\n"), ',');
        assert_eq!(delimiter(""), ',');
    }

    #[test]
    fn quotes_and_named_delimiters_are_found() {
        assert_eq!(find("'a, b','c'\n'd','e'\n"), Dialect { delimiter: b',', quote: b'\'', named: false });
        assert_eq!(find("it's,5 o'clock\nthat's,6 o'clock\n").quote, b'"');
        assert_eq!(find("sep=;\na;b\n"), Dialect { delimiter: b';', quote: b'"', named: true });
        assert_eq!(find("\"sep=|\"\r\na|b\r\n"), Dialect { delimiter: b'|', quote: b'"', named: true });
        assert_eq!(find("sep=\na,b\n").delimiter, b',');
    }
}
