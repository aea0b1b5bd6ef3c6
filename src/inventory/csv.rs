//! Rows of a CSV (RFC 4180), each with the line that it begins at. Where the quotes of one do not end as they should, its
//! first line alone is no row: one quote too many must not swallow the rows behind it.

use std::borrow::Cow;

/// A cell may hold line ends; a row that goes over more lines than this has rather lost a quote.
const MAX_LINES: usize = 32;

/// What is wrong with the quotes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QuoteFault {
    /// The row would take others with it.
    #[error("a quote is opened in it and not closed")]
    Open,
    /// What is quoted is not all of its cell.
    #[error("text stands behind a quoted cell, before the next comma")]
    Behind,
}

/// A row: the line that it begins at, from 1, and its cells.
pub(super) type Row = (usize, Result<Vec<String>, QuoteFault>);

/// Reads rows one by one; empty lines and those that begin with `#` are passed over.
pub(super) struct Rows<'t> {
    rest: &'t str,
    /// The line that `rest` begins at.
    line: usize,
}

impl<'t> Rows<'t> {
    /// Rows of a text whose lines end as [`with_line_ends`] has them.
    pub fn new(text: &'t str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The next row. `is_of_one_line` tells by its place in the row whether a cell can hold no line end.
    pub fn next_row(&mut self, is_of_one_line: impl Fn(usize) -> bool) -> Option<Row> {
        while !self.rest.is_empty() {
            let (first, behind) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            let line = self.line;
            if first.trim().is_empty() || first.starts_with('#') {
                (self.rest, self.line) = (behind, line + 1);
                continue;
            }
            let row = match row(self.rest, &is_of_one_line) {
                Ok((cells, rest, lines)) => {
                    (self.rest, self.line) = (rest, line + lines);
                    Ok(cells)
                }
                Err(fault) => {
                    (self.rest, self.line) = (behind, line + 1);
                    Err(fault)
                }
            };
            return Some((line, row));
        }
        None
    }
}

/// A text with `\n` at the end of each line, as older and other systems do not write it.
pub(super) fn with_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

/// The cells of the row at the beginning of a text, what stands behind it, and over how many lines it goes.
fn row<'t>(
    text: &'t str,
    is_of_one_line: &impl Fn(usize) -> bool,
) -> Result<(Vec<String>, &'t str, usize), QuoteFault> {
    let (mut cells, mut rest, mut lines) = (Vec::new(), text, 1);
    loop {
        let (cell, behind) = cell(rest)?;
        let breaks = cell.matches('\n').count();
        lines += breaks;
        if lines > MAX_LINES || breaks > 0 && is_of_one_line(cells.len()) {
            return Err(QuoteFault::Open);
        }
        cells.push(cell.trim().to_owned());
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok((cells, behind.strip_prefix('\n').unwrap_or(behind), lines)),
        }
    }
}

/// The cell at the beginning of a text, and what stands behind it: a comma, a line end, or nothing.
fn cell(text: &str) -> Result<(Cow<'_, str>, &str), QuoteFault> {
    let Some(quoted) = without_blanks(text).strip_prefix('"') else {
        let (cell, behind) = text.split_at(text.find([',', '\n']).unwrap_or(text.len()));
        return Ok((cell.into(), behind));
    };
    let (mut cell, mut rest, mut lines) = (String::new(), quoted, 1);
    loop {
        let (piece, behind) = rest.split_once('"').ok_or(QuoteFault::Open)?;
        lines += piece.matches('\n').count();
        if lines > MAX_LINES {
            // not to the end of the file, which the rows behind this one would be looked through for as well
            return Err(QuoteFault::Open);
        }
        cell.push_str(piece);
        // a quote that is doubled stands for one
        let Some(more) = behind.strip_prefix('"') else {
            let behind = without_blanks(behind);
            let is_all = behind.is_empty() || behind.starts_with([',', '\n']);
            return if is_all { Ok((cell.into(), behind)) } else { Err(QuoteFault::Behind) };
        };
        cell.push('"');
        rest = more;
    }
}

fn without_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        let mut rows = Rows::new(text);
        // the first cell is one of a line
        std::iter::from_fn(|| rows.next_row(|place| place == 0)).collect()
    }

    fn good(line: usize, cells: &[&str]) -> Row {
        (line, Ok(cells.iter().map(|cell| (*cell).to_owned()).collect()))
    }

    #[test]
    fn cells_may_be_quoted_and_hold_commas_quotes_and_line_ends() {
        let text = "a, b ,\n# no\n\n \"c, \"\"d\"\"\" ,\"e\nf\",g\nh";
        let expected = [good(1, &["a", "b", ""]), good(4, &["c, \"d\"", "e\nf", "g"]), good(6, &["h"])];
        assert_eq!(rows(text), expected);
        assert_eq!(with_line_ends("a\r\nb\rc\n"), "a\nb\nc\n");
    }

    #[test]
    fn a_quote_too_many_costs_its_line_alone() {
        let open = |line| (line, Err(QuoteFault::Open));
        assert_eq!(rows("\"a,1\nb,2\n"), [open(1), good(2, &["b", "2"])]);
        // where a later quote would close it
        assert_eq!(rows("\"a,1\nb,2\nc,\"\n"), [open(1), good(2, &["b", "2"]), open(3)]);
        assert_eq!(rows("a,\"1\nb,\"2\"\n"), [(1, Err(QuoteFault::Behind)), good(2, &["b", "2"])]);
        // each row would be closed where the file ends, far behind
        let many = 20_000;
        assert_eq!(rows(&"\"\"\"\n".repeat(many)), (1..=many).map(open).collect::<Vec<_>>());
        let long = format!("a,\"{}\"\nb\n", "\n".repeat(MAX_LINES));
        assert_eq!(rows(&long).first(), Some(&open(1)));
        assert_eq!(rows(&long).last(), Some(&good(MAX_LINES + 2, &["b"])));
    }
}
