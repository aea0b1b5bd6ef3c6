//! New dependencies over time: bars for what each hour brought, a line for how many there are.

use std::fmt::Write;

use super::grouped;
use crate::{map::Novelty, render::words};

/// The learning curve.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// What it shows, in a sentence.
    pub summary: String,
    /// The picture; empty where one step was seen alone.
    pub svg: String,
    /// When, met, new, known by then: what the picture shows, for reading.
    pub rows: Vec<[String; 4]>,
    /// `hour` or `day`.
    pub step: &'static str,
}

/// More hours than this are shown by day.
const MAX_HOURS: usize = 96;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 12.0;
const LEAST_BAR: f64 = 1.5;
/// So many lines of the grid above zero at most.
const MAX_TICKS: u64 = 4;

struct Step {
    when: String,
    met: u64,
    new: u64,
    known: u64,
}

impl Curve {
    /// The curve of these hours.
    #[must_use]
    pub fn new(hours: &[Novelty]) -> Self {
        let by_day = hours.len() > MAX_HOURS;
        let step = if by_day { "day" } else { "hour" };
        let steps = steps(hours, by_day);
        let rows =
            steps.iter().map(|it| [it.when.clone(), grouped(it.met), grouped(it.new), grouped(it.known)]).collect();
        let known = steps.last().map_or(0, |it| it.known);
        let summary = match &steps[..] {
            [] => "No dependency was seen in an hour that is known.".to_owned(),
            [one] => format!(
                "{} dependencies, all of them in one {step}: {}. That is too little to tell whether more would come.",
                grouped(known),
                one.when
            ),
            [.., last] => format!(
                "{} dependencies in {} {step}s with traffic; the last {step} ({}) brought {} new.",
                grouped(known),
                steps.len(),
                last.when,
                grouped(last.new)
            ),
        };
        let svg = if steps.len() > 1 { picture(&steps, &summary) } else { String::new() };
        Self { summary, svg, rows, step }
    }
}

fn steps(hours: &[Novelty], by_day: bool) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut known = 0;
    for hour in hours {
        let minute = words::minute(hour.hour);
        let when = if by_day { minute.get(..10).unwrap_or(&minute).to_owned() } else { minute };
        let (met, new) = (u64::from(hour.met), u64::from(hour.new));
        known += new;
        match steps.last_mut().filter(|last| last.when == when) {
            Some(last) => {
                // the same one in several hours of a day is met once an hour
                (last.met, last.new, last.known) = (last.met + met, last.new + new, known);
            }
            None => steps.push(Step { when, met, new, known }),
        }
    }
    steps
}

/// The end of an axis that holds so many, and how far its lines are apart: 1, 2 or 5 with zeros.
fn scale(most: u64) -> (u64, u64) {
    let decades = (0..19).map(|digits| 10_u64.pow(digits));
    let tick = decades.flat_map(|one| [1, 2, 5].map(|times| one.saturating_mul(times)));
    let tick = tick.into_iter().find(|tick| most.div_ceil(*tick) <= MAX_TICKS).unwrap_or(most.max(1));
    (most.div_ceil(tick).max(1).saturating_mul(tick), tick)
}

#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn picture(steps: &[Step], summary: &str) -> String {
    let (top, tick) = scale(steps.last().map_or(1, |it| it.known));
    let room = HEIGHT - TOP - BOTTOM;
    let wide = (WIDTH - LEFT) / steps.len() as f64;
    let x = |n: usize| LEFT + wide * n as f64;
    let height = |count: u64| room * count as f64 / top as f64;
    let y = |count: u64| HEIGHT - BOTTOM - height(count);
    let mut svg = format!(
        "<svg class=\"curve\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"curve-title\"><title id=\"curve-title\">{summary}</title>"
    );
    // writing to a String cannot fail
    for count in (0..=top / tick).map(|n| n * tick) {
        let (y, word) = (y(count), grouped(count));
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{WIDTH}\"/><text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\">{word}</text>",
            LEFT - 8.0,
            y + 4.0
        );
    }
    let mut line = String::new();
    for (n, step) in steps.iter().enumerate() {
        // bars and the line are read from one axis; a bar is seen however little an hour brought
        let height = if step.new > 0 { height(step.new).max(LEAST_BAR) } else { 0.0 };
        let _ = write!(
            svg,
            "<rect class=\"new\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}: {} new, {} known</title></rect>",
            x(n) + wide * 0.15,
            HEIGHT - BOTTOM - height,
            wide * 0.7,
            step.when,
            step.new,
            step.known
        );
        let _ = write!(line, "{}{:.1} {:.1}", if n == 0 { 'M' } else { 'L' }, x(n) + wide / 2.0, y(step.known));
    }
    let _ = write!(svg, "<path class=\"known\" d=\"{line}\"/>");
    let ends = [(steps.first(), LEFT, "start"), (steps.last(), WIDTH, "end")];
    for (step, x, anchor) in ends {
        let when = step.map_or("", |it| it.when.as_str());
        let _ = write!(svg, "<text class=\"axis {anchor}\" x=\"{x}\" y=\"{:.1}\">{when}</text>", HEIGHT - 6.0);
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Hour;

    #[test]
    fn an_axis_ends_on_a_round_number_that_holds_all() {
        for (most, expected) in [
            (0, (1, 1)),
            (1, (1, 1)),
            (3, (3, 1)),
            (5, (6, 2)),
            (14, (15, 5)),
            (1_203, (1_500, 500)),
            (80_001, (100_000, 50_000)),
        ] {
            assert_eq!(scale(most), expected, "{most}");
        }
        let (top, tick) = scale(u64::MAX);
        assert!(top >= tick && top / tick <= MAX_TICKS + 1);
    }

    #[test]
    fn the_bar_of_the_first_hour_ends_where_the_line_begins() {
        let hour = |n: i32, new| Novelty { hour: Hour(490_000 + n).start(), met: new, new };
        let svg = Curve::new(&[hour(0, 600), hour(1, 0), hour(2, 400)]).svg;
        let (_, line) = svg.split_once("class=\"known\" d=\"M").expect("a line");
        let start = line.split(['L', ' ']).nth(1).expect("its height");
        let (_, bar) = svg.split_once("class=\"new\"").expect("a bar");
        let (_, bar) = bar.split_once(" y=\"").expect("its height");
        assert_eq!(start, bar.split('"').next().expect("a number"), "{svg}");
        assert!(svg.contains(">1\u{202f}000</text>") && svg.contains(">500</text>"), "{svg}");
    }
}
