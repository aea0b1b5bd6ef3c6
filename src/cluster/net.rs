//! What came of objects while nobody could say when: the last word on each.

use std::collections::BTreeMap;

use super::object::Object;

/// The last word on an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latest {
    /// It is there.
    Present(Object),
    /// It went, and was so at last.
    Gone(Object),
}

/// The last word on each of the objects that came, changed or went in a stretch of time, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Net(pub BTreeMap<String, Latest>);

impl Net {
    /// Takes a later word on an object.
    pub fn add(&mut self, latest: Latest) {
        let (Latest::Present(object) | Latest::Gone(object)) = &latest;
        self.0.insert(object.name.clone(), latest);
    }
}
