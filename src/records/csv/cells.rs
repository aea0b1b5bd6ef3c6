//! The cells of a record (RFC 4180), and where its quotes end.

/// Where a record stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// At the beginning of a cell, but for blanks.
    #[default]
    Begin,
    /// In a cell without quotes: one within it is a letter like others.
    Bare,
    /// Within quotes.
    Quoted,
    /// Behind a quote that ends them, or is the first of two that stand for one.
    Quote,
    /// Behind them.
    Closed,
}

/// The quotes of a record while its letters come.
#[derive(Debug, Default)]
pub struct Quotes {
    place: Place,
    /// Whether one ended elsewhere than at the end of its cell: then it may have been none that opens.
    pub is_odd: bool,
}

impl Quotes {
    /// Whether what comes next stands within quotes.
    pub fn is_open(&self) -> bool {
        self.place == Place::Quoted
    }

    /// Takes what comes next.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(char::from(*byte));
        }
    }

    fn step(&mut self, letter: char) {
        self.place = match (self.place, letter) {
            (Place::Quoted, '"') => Place::Quote,
            (Place::Begin | Place::Quote, '"') | (Place::Quoted, _) => Place::Quoted,
            (_, ',') => Place::Begin,
            (Place::Quote | Place::Closed, blank) if blank.is_ascii_whitespace() => Place::Closed,
            (Place::Begin, blank) if blank.is_ascii_whitespace() => Place::Begin,
            (before, _) => {
                self.is_odd |= matches!(before, Place::Quote | Place::Closed);
                Place::Bare
            }
        };
    }
}

/// The cells, without quotes and the space around them.
pub fn cells(record: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quotes) = (Vec::new(), String::new(), Quotes::default());
    for letter in record.chars() {
        let before = quotes.place;
        quotes.step(letter);
        match (before, quotes.place) {
            (_, Place::Begin) if letter == ',' => cells.push(std::mem::take(&mut cell)),
            (Place::Begin, Place::Quoted) | (Place::Quoted, Place::Quote) => {}
            _ => cell.push(letter),
        }
    }
    cells.push(cell);
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}
