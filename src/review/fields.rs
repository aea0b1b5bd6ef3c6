//! What a browser sends: fields of a query or a form, with bounds.

use axum::http::{HeaderMap, header};

/// Fields of one request: so many policies can be approved at once, and some. How many bytes they may have is bounded where
/// they are read.
const MAX_FIELDS: usize = 8_192;

/// Names and values, in order; a name may come several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

/// There are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Fields {
    /// Reads `application/x-www-form-urlencoded`: there are no bytes that are not.
    pub fn read(text: &[u8]) -> Result<Self, TooMany> {
        let pairs = form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned()));
        let fields: Vec<_> = pairs.take(MAX_FIELDS + 1).collect();
        if fields.len() > MAX_FIELDS { Err(TooMany) } else { Ok(Self(fields)) }
    }

    /// The first value of a name, without space around it; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// All values of a name that are not empty.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let of_name = self.0.iter().filter(move |(known, _)| known == name);
        of_name.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// Pairs as a query.
pub(super) fn query<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}
