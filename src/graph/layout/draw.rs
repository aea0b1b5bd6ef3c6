//! Places of boxes, bands and frames, from the heights of a column's items.

use std::collections::BTreeMap;

use super::{
    BOLD, BOX_HEIGHT, BOX_MIN_WIDTH, BOX_PADDING, COLUMN_GAP, COLUMN_GAP_MOST, Columns, FRAME_CAPTION, FRAME_PADDING,
    HEADER, Item, LABEL_LETTERS, LABEL_PX, Layer, Layout, MARGIN, Placed, WHAT_PX,
};
use crate::graph::{Map, text};

pub(super) struct Drawing<'a> {
    pub map: &'a Map,
    /// What is written below the names.
    pub below: Vec<String>,
    pub column_of: &'a (Vec<usize>, Vec<Layer>),
    pub columns: &'a Columns,
    /// For each column the centre of each item.
    pub centres: &'a [BTreeMap<Item, i32>],
}

impl Drawing<'_> {
    pub fn draw(&self) -> Layout {
        let (lefts, widths, width) = self.across();
        let rooms = self.centres.iter().zip(&self.columns.items);
        let top = |(centres, items): (&BTreeMap<Item, i32>, &Vec<Item>)| {
            let above = |item: &Item| {
                let caption = if self.columns.is_framed(*item) { FRAME_CAPTION } else { 0 };
                centres.get(item).map(|centre| centre - Columns::room(*item) - caption)
            };
            items.iter().filter_map(above).min()
        };
        let bottom = |(centres, items): (&BTreeMap<Item, i32>, &Vec<Item>)| {
            items.iter().filter_map(|item| centres.get(item).map(|centre| centre + Columns::room(*item))).max()
        };
        let first = rooms.clone().filter_map(top).min().unwrap_or_default();
        let last = rooms.filter_map(bottom).max().unwrap_or_default();
        let shift = MARGIN + HEADER + FRAME_PADDING - first;
        let height = last + shift + FRAME_PADDING + MARGIN;
        let nodes: Vec<Placed> = (0..self.map.nodes.len())
            .map(|node| {
                let column = self.column_of.0[node];
                let centre = self.centres[column].get(&Item::Node(node)).copied().unwrap_or_default() + shift;
                Placed { x: lefts[column], y: centre - BOX_HEIGHT / 2, width: widths[column], height: BOX_HEIGHT }
            })
            .collect();
        let edges = self.routes(&nodes, &lefts, &widths, shift);
        let bands = self.bands(&lefts, &widths, height);
        let frames = self.frames(&nodes);
        Layout { width, height, nodes, edges, bands, frames }
    }

    /// The left end and the width of each column, and the width of all.
    fn across(&self) -> (Vec<i32>, Vec<i32>, i32) {
        let mut x = MARGIN + FRAME_PADDING;
        let (mut lefts, mut widths) = (Vec::new(), Vec::new());
        for (column, items) in self.columns.items.iter().enumerate() {
            let width = items.iter().filter_map(|item| self.box_width(*item)).max().unwrap_or(BOX_MIN_WIDTH);
            lefts.push(x);
            widths.push(width);
            let lines = i32::try_from(self.columns.joints[column].len()).unwrap_or(i32::MAX);
            x += width + COLUMN_GAP.saturating_add(lines).min(COLUMN_GAP_MOST);
        }
        let last = lefts.last().zip(widths.last()).map_or(0, |(left, width)| left + width);
        // a line that returns into the last column needs room beside it
        (lefts, widths, last + FRAME_PADDING + MARGIN + COLUMN_GAP / 2)
    }

    fn box_width(&self, item: Item) -> Option<i32> {
        let Item::Node(node) = item else { return None };
        let (node, below) = (self.map.nodes.get(node)?, self.below.get(node)?);
        let label = text::width(&text::shortened(&node.label, LABEL_LETTERS), LABEL_PX) * BOLD;
        let what = text::width(below, WHAT_PX);
        #[expect(clippy::cast_possible_truncation, reason = "some hundred pixels")]
        let text = label.max(what).ceil() as i32;
        Some((text + 2 * BOX_PADDING).max(BOX_MIN_WIDTH))
    }

    /// Columns of one layer side by side are one band.
    fn bands(&self, lefts: &[i32], widths: &[i32], height: i32) -> Vec<(Layer, Placed)> {
        let mut bands: Vec<(Layer, Placed)> = Vec::new();
        for ((layer, left), width) in self.columns.layers.iter().zip(lefts).zip(widths) {
            let right = left + width + FRAME_PADDING + FRAME_PADDING / 2;
            match bands.last_mut() {
                Some((last, band)) if last == layer => band.width = right - band.x,
                _ => {
                    let x = left - FRAME_PADDING - FRAME_PADDING / 2;
                    bands.push((*layer, Placed { x, y: MARGIN, width: right - x, height: height - 2 * MARGIN }));
                }
            }
        }
        bands
    }

    fn frames(&self, nodes: &[Placed]) -> Vec<(String, Placed)> {
        let mut frames: Vec<(String, Placed)> = Vec::new();
        for items in &self.columns.items {
            let mut above: Option<Item> = None;
            for item in items {
                let Item::Node(node) = *item else {
                    above = None;
                    continue;
                };
                let Some(place) = nodes.get(node).filter(|_| self.columns.is_framed(*item)) else {
                    above = None;
                    continue;
                };
                match frames.last_mut() {
                    Some((_, frame)) if above.is_some_and(|above| self.columns.are_together(above, *item)) => {
                        frame.height = place.y + place.height + FRAME_PADDING / 2 - frame.y;
                    }
                    _ => {
                        let y = place.y - FRAME_CAPTION;
                        let frame = Placed {
                            x: place.x - FRAME_PADDING,
                            y,
                            width: place.width + 2 * FRAME_PADDING,
                            height: place.height + FRAME_CAPTION + FRAME_PADDING / 2,
                        };
                        frames.push((self.columns.group(*item).to_owned(), frame));
                    }
                }
                above = Some(*item);
            }
        }
        frames
    }
}
