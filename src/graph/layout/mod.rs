//! Where things are: a layered drawing (Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
//! structures", 1981) from left to right, whose layers are given by the tiers.
//!
//! ```text
//! columns   each layer is a column; several, where its boxes call each other or are too many          rank, columns
//! ordering  barycentres, up and down, namespaces kept together; the order with fewest crossings stays  order
//! heights   each box as near to those it is joined with as order and distances allow                   heights
//! lines     past boxes they run in a lane of their own, so that no line crosses a box                  routes
//! ```
//!
//! All of it is a function of the map: no chance, no clock. Places are whole pixels.

mod columns;
mod draw;
mod heights;
mod order;
mod rank;
mod routes;

use columns::{Columns, Item, way};
use draw::Drawing;

pub use super::Layer;
use super::{Map, text};

/// Letters of a name that are written on a box.
pub(super) const LABEL_LETTERS: usize = 26;
/// Letters of what is below it.
pub(super) const WHAT_LETTERS: usize = 30;
/// How much wider bold letters are.
const BOLD: f64 = 1.08;
/// Sizes of both kinds of text.
pub(super) const LABEL_PX: f64 = 13.0;
pub(super) const WHAT_PX: f64 = 11.0;

const BOX_HEIGHT: i32 = 44;
const BOX_PADDING: i32 = 12;
const BOX_MIN_WIDTH: i32 = 112;
/// Between boxes of one column.
const BOX_GAP: i32 = 14;
/// Between the frame of a namespace and its boxes; its name stands above them.
const FRAME_PADDING: i32 = 10;
pub(super) const FRAME_CAPTION: i32 = 20;
/// Half of the room of a line that passes boxes.
const LANE: i32 = 5;
/// Between columns, where lines bend, and more where there are many.
const COLUMN_GAP: i32 = 84;
const COLUMN_GAP_MOST: i32 = 170;
/// Round everything, and above for the names of the layers.
const MARGIN: i32 = 20;
pub(super) const HEADER: i32 = 40;
/// How far apart lines meet a box, and in how much of its height.
const PORT_GAP: i32 = 6;
const PORT_ROOM: i32 = 28;

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Its left end.
    pub x: i32,
    /// Its top.
    pub y: i32,
    /// How wide it is.
    pub width: i32,
    /// How high it is.
    pub height: i32,
}

/// A line: the points it passes. Between two of them it bends where `is_bend` is true, else it is straight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Where it goes.
    pub points: Vec<(i32, i32)>,
    /// A line whose ends are in one column leaves and comes back on the right.
    pub is_loop: bool,
}

/// Where everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The whole picture.
    pub width: i32,
    /// How high it is.
    pub height: i32,
    /// The boxes, in the order of the map.
    pub nodes: Vec<Placed>,
    /// The lines, in the order of the map.
    pub edges: Vec<Route>,
    /// Each layer with its band.
    pub bands: Vec<(Layer, Placed)>,
    /// Frames round boxes of one namespace, with its name.
    pub frames: Vec<(String, Placed)>,
}

/// Lays a map out.
#[must_use]
pub fn layout(map: &Map) -> Layout {
    let column_of = rank::columns(map);
    let mut columns = Columns::new(map, &column_of);
    order::order(&mut columns);
    let centres = heights::heights(&columns);
    Drawing { map, below: text::below(map, WHAT_LETTERS), column_of: &column_of, columns: &columns, centres: &centres }
        .draw()
}
