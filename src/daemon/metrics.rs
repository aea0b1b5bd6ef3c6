//! The figures in Prometheus' text format (version 0.0.4), and whether all is well.

use std::fmt::Write;

use super::{Figures, InterfaceFigures};

/// Reasons that are told one by one, of each interface: a network full of odd frames is not to fill the monitoring.
const MAX_REASONS: usize = 32;

/// How a figure is read off an interface.
type OfInterface = fn(&InterfaceFigures) -> u64;

/// Figures of each interface: name, kind, meaning.
const OF_INTERFACES: [(&str, &str, &str, OfInterface); 11] = [
    ("interface_up", "gauge", "Whether the interface is watched now and up.", |it| u64::from(it.is_up)),
    ("interface_gone_total", "counter", "How often the interface went away.", |it| it.times_gone),
    (
        "interface_unknown_losses_total",
        "counter",
        "How often it went away with frames in the kernel that could not be read, or not counted.",
        |it| it.unknown_losses,
    ),
    ("packets_total", "counter", "Frames captured.", |it| it.packets),
    ("bytes_total", "counter", "Bytes of the frames on the wire.", |it| it.bytes),
    ("decoded_packets_total", "counter", "Frames that belong to a connection.", |it| it.decoded),
    ("kernel_drops_total", "counter", "Frames that the kernel had no room for.", |it| it.dropped_by_kernel),
    ("interface_drops_total", "counter", "Frames that the interface or its driver dropped.", |it| {
        it.dropped_by_interface
    }),
    ("connections", "gauge", "Connections in the table.", |it| it.connections),
    ("connections_evicted_total", "counter", "Connections written out early, for the table was full.", |it| it.evicted),
    (
        "connections_left_out_total",
        "counter",
        "Parts of connections left out, for too many waited for the store.",
        |it| it.left_out,
    ),
];

/// All figures.
#[must_use]
pub fn text(figures: &Figures) -> String {
    let mut text = String::new();
    for (name, kind, help, figure) in OF_INTERFACES {
        head(&mut text, name, kind, help);
        for of in &figures.interfaces {
            line(&mut text, name, &[("interface", &of.interface)], figure(of));
        }
    }
    head(&mut text, "not_decoded_packets_total", "counter", "Frames that were not decoded, by reason.");
    figures.interfaces.iter().for_each(|of| reasons(&mut text, of));
    of_store(&mut text, figures);
    text
}

fn of_store(text: &mut String, figures: &Figures) {
    let store = &figures.store;
    head(text, "flush_seconds", "summary", "What writing to the store took.");
    line(text, "flush_seconds_sum", &[], store.flush_seconds);
    line(text, "flush_seconds_count", &[], store.flushes);
    let numbers = [
        ("last_flush_seconds", "gauge", "What the last one took.", store.last_flush_seconds.to_string()),
        ("flush_failures_total", "counter", "Attempts to write that failed.", store.failures.to_string()),
        (
            "store_failing",
            "gauge",
            "Whether the store cannot be written now.",
            u8::from(store.failing.is_some()).to_string(),
        ),
        (
            "store_damaged",
            "gauge",
            "Hours and days of history that cannot be read, and stay as they are.",
            store.damaged.to_string(),
        ),
        ("store_bytes", "gauge", "Size of the store's files.", store.bytes.to_string()),
        (
            "dependencies_new_total",
            "counter",
            "Client, server and port seen for the first time since the start.",
            store.novel.to_string(),
        ),
        ("start_time_seconds", "gauge", "When the daemon started, since 1970.", figures.started.to_string()),
    ];
    for (name, kind, help, value) in numbers {
        head(text, name, kind, help);
        line(text, name, &[], value);
    }
}

fn reasons(text: &mut String, of: &InterfaceFigures) {
    let mut reasons: Vec<(&str, u64)> =
        of.not_decoded.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let others: u64 = reasons.iter().skip(MAX_REASONS).map(|(_, count)| count).sum();
    reasons.truncate(MAX_REASONS);
    reasons.extend((others > 0).then_some(("other", others)));
    for (reason, count) in reasons {
        line(text, "not_decoded_packets_total", &[("interface", &of.interface), ("reason", reason)], count);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // writing to a String cannot fail
    let _ = writeln!(text, "# HELP flowmap_{name} {help}\n# TYPE flowmap_{name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "flowmap_{name}{labels} {value}");
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// What is not well, if anything.
#[must_use]
pub fn complaint(figures: &Figures) -> Option<String> {
    if let Some(why) = &figures.store.failing {
        return Some(format!("the store cannot be written: {why}"));
    }
    let is_blind = figures.interfaces.iter().all(|it| !it.is_up);
    is_blind.then(|| "no interface is there to be watched".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::StoreFigures;

    fn figures() -> Figures {
        let not_decoded = (0..40).map(|n| (format!("kind \"{n:02}\""), 1_000 - n)).collect();
        let eth0 =
            InterfaceFigures { interface: "eth0".into(), is_up: true, packets: 7, not_decoded, ..Default::default() };
        Figures { interfaces: vec![eth0], ..Figures::default() }
    }

    #[test]
    fn figures_are_told_in_the_text_format_and_add_up() {
        let text = text(&figures());
        assert!(
            text.contains("# TYPE flowmap_packets_total counter\nflowmap_packets_total{interface=\"eth0\"} 7\n"),
            "{text}"
        );
        let reason = "flowmap_not_decoded_packets_total{interface=\"eth0\",reason=\"kind \\\"00\\\"\"} 1000\n";
        assert!(text.contains(reason), "{text}");
        let told: Vec<&str> = text.lines().filter(|line| line.starts_with("flowmap_not_decoded")).collect();
        assert_eq!(told.len(), MAX_REASONS + 1);
        let sum: u64 = told.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(sum, (0..40).map(|n| 1_000 - n).sum::<u64>());
    }

    #[test]
    fn what_is_not_well_is_said() {
        let mut figures = figures();
        assert_eq!(complaint(&figures), None);
        figures.store = StoreFigures { failing: Some("the disk is full".into()), ..StoreFigures::default() };
        assert_eq!(complaint(&figures).unwrap(), "the store cannot be written: the disk is full");
        figures.store.failing = None;
        figures.interfaces[0].is_up = false;
        assert_eq!(complaint(&figures).unwrap(), "no interface is there to be watched");
    }
}
