//! Where somebody else may have been at an end than the inventory tells.

use super::{Cautions, Check, Level, Told};

/// Each kind once, in this order.
pub(super) const CHECKS: [Check; 1] = [led_elsewhere];

fn led_elsewhere(cautions: &mut Cautions, told: &Told<'_>) {
    let led = &told.facts.captures.led_elsewhere;
    if !led.is_empty() {
        let why = format!(
            "{}: the inventory knows nobody there of that Service. The address may have been another's by then: whoever is named here has a \
             rule, and who answered may have none. Import the pods as they were then.",
            told.few(led)
        );
        cautions.add(Level::Look, "Was it somebody else?", why);
    }
}
