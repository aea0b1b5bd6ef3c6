//! Tables, CSV and JSON on stdout.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::PrettyFormatter;
use tabled::{
    builder::Builder,
    settings::{Alignment, Padding, Style, object::Columns},
};

use super::{common::Output, fault::printable};

/// Blanks between columns.
const BETWEEN: usize = 2;
/// Before what goes on from the line above.
const BELOW: &str = "    ";

/// Rows under a header, and which columns are numbers.
pub(super) struct Table {
    header: Vec<&'static str>,
    numeric: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), numeric: Vec::new(), rows: Vec::new() }
    }

    /// These columns are aligned to the right.
    pub fn numeric(mut self, columns: &[usize]) -> Self {
        self.numeric = columns.to_vec();
        self
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// This table with one column more, a cell for each row.
    pub fn with<'c>(mut self, name: &'static str, cells: impl IntoIterator<Item = &'c str>) -> Self {
        self.header.push(name);
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.push(cell.to_owned());
        }
        self
    }

    /// This table without the columns in which nothing stands.
    pub fn without_empty_columns(self) -> Self {
        let is_used = |column: &usize| self.rows.iter().any(|row| row.get(*column).is_some_and(|it| !it.is_empty()));
        let used: Vec<usize> = (0..self.header.len()).filter(is_used).collect();
        self.part(&used)
    }

    /// These columns of it.
    fn part(&self, columns: &[usize]) -> Self {
        let kept = |row: &Vec<String>| columns.iter().filter_map(|column| row.get(*column).cloned()).collect();
        Self {
            header: columns.iter().filter_map(|column| self.header.get(*column).copied()).collect(),
            numeric: (0..columns.len()).filter(|place| self.numeric.contains(&columns[*place])).collect(),
            rows: self.rows.iter().map(kept).collect(),
        }
    }

    /// The table as `kubectl get` would print it: two spaces between columns, no lines.
    pub fn text(&self) -> String {
        let mut builder = Builder::new();
        builder.push_record(self.header.iter().map(|name| name.to_uppercase()));
        for row in &self.rows {
            builder.push_record(row.iter().map(|cell| shown(cell)));
        }
        let mut table = builder.build();
        table.with(Style::empty()).with(Padding::new(0, BETWEEN, 0, 0));
        for column in &self.numeric {
            table.modify(Columns::one(*column), Alignment::right());
        }
        let lines = table.to_string();
        let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }

    /// The table within so many columns of a terminal: a row that does not fit goes on in lines below, behind an indent.
    fn text_within(&self, width: usize) -> String {
        let parts: Vec<String> = self.split(width).iter().map(|columns| self.part(columns).text()).collect();
        let mut parts: Vec<std::str::Lines<'_>> = parts.iter().map(|part| part.lines()).collect();
        let mut text = String::new();
        for _ in 0..=self.rows.len() {
            let lines = parts.iter_mut().map(|lines| lines.next().unwrap_or_default());
            for (n, line) in lines.enumerate().filter(|(n, line)| *n == 0 || !line.is_empty()) {
                text.extend([if n == 0 { "" } else { BELOW }, line, "\n"]);
            }
        }
        text
    }

    /// Its columns by the lines that they go to.
    fn split(&self, width: usize) -> Vec<Vec<usize>> {
        let mut lines: Vec<Vec<usize>> = vec![Vec::new()];
        let mut used = 0;
        for (n, name) in self.header.iter().enumerate() {
            let cells = self.rows.iter().filter_map(|row| row.get(n)).map(|cell| shown(cell).chars().count());
            let wanted = cells.max().unwrap_or_default().max(name.len());
            if used > 0 && used + wanted > width {
                lines.push(Vec::new());
                used = BELOW.len();
            }
            used += wanted + BETWEEN;
            lines.last_mut().into_iter().for_each(|line| line.push(n));
        }
        lines
    }

    fn write_csv(&self, out: impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(self.header.iter().map(|name| name.replace([' ', '-'], "_"))).map_err(of_output)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|cell| inert(cell))).map_err(of_output)?;
        }
        writer.flush()
    }
}

/// The output's own error: by its kind a pipe that was closed is told from a fault.
fn of_output(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Prints a list: as JSON the value of each item, else its table. One that is empty says for people on stderr why it is.
/// Lists may be long: what is not printed is not made, and values are made one by one.
pub(super) fn list<'i, I, V: Serialize>(
    output: Output,
    items: &'i [I],
    value: impl Fn(&'i I) -> V,
    table: impl FnOnce(&[I]) -> Table,
    why_none: impl FnOnce() -> String,
) -> io::Result<()> {
    if output == Output::Json {
        return write_json(|json| json.collect_seq(items.iter().map(value)));
    }
    let empty = if items.is_empty() { why_none() } else { String::new() };
    self::table(output, &table(items), &empty)
}

/// Prints a table, as CSV or for people. One that is empty says so on stderr.
pub(super) fn table(output: Output, table: &Table, empty: &str) -> io::Result<()> {
    if output == Output::Csv {
        return of_stdout(table.write_csv(io::stdout().lock()));
    }
    if table.rows.is_empty() {
        warnln!("{}", printable(empty));
        return Ok(());
    }
    let table = terminal_width().map_or_else(|| table.text(), |width| table.text_within(width));
    text(table.as_bytes())
}

/// Letters of a cell in a table for people: all cells of a column are as wide as its widest, and names come from captures.
const MAX_CELL: usize = 400;

/// A cell of a CSV. Names come from captures, and a sheet takes what begins so for a formula and runs it: the apostrophe
/// before makes it a text. Numbers and a lone `-` stay as they are.
fn inert(cell: &str) -> String {
    let text = printable(cell);
    let is_formula = text.starts_with(['=', '+', '-', '@']) && text.len() > 1 && text.parse::<f64>().is_err();
    if is_formula { format!("'{text}") } else { text }
}

/// A cell in one line of a table for people.
fn shown(cell: &str) -> String {
    let text = printable(cell).replace('\n', " ");
    match text.char_indices().nth(MAX_CELL) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Columns of the terminal that stdout is, if it is one and tells.
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Prints a value as indented JSON.
pub(super) fn json<T: Serialize>(value: &T) -> io::Result<()> {
    write_json(|json| value.serialize(json))
}

type Json<'j> = &'j mut serde_json::Serializer<BufWriter<StdoutLock<'static>>, PrettyFormatter<'static>>;

fn write_json(write: impl FnOnce(Json<'_>) -> serde_json::Result<()>) -> io::Result<()> {
    let mut json = serde_json::Serializer::pretty(BufWriter::new(io::stdout().lock()));
    let written = write(&mut json).map_err(io::Error::from);
    let mut out = json.into_inner();
    of_stdout(written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

/// Writes to stdout.
pub(super) fn text(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    of_stdout(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Says of an error that it was in writing to stdout; its kind stays, by which a closed pipe is known.
fn of_stdout(result: io::Result<()>) -> io::Result<()> {
    result.map_err(|error| io::Error::new(error.kind(), format!("stdout: {error}")))
}

/// Several words in one cell.
pub(super) fn joined<T: ToString>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| word.to_string()).collect::<Vec<_>>().join(",")
}

/// How wide a page of text is.
const PAGE: usize = 100;

/// Text broken at blanks into lines that fit a page, each behind an indent.
pub(super) fn wrapped(text: &str, indent: &str) -> String {
    hanging(text, indent, indent)
}

/// Text broken at blanks into lines that fit a page: the first behind one indent, those below behind another.
pub(super) fn hanging(text: &str, indent: &str, below: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < PAGE => line.extend([" ", word]),
            Some(_) => lines.push(format!("{below}{word}")),
            None => lines.push(format!("{indent}{word}")),
        }
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// As much of a text as a column holds, and that there is more.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
