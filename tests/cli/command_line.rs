//! Help and man page: one command tree tells both, and neither leaves anything of it out.

use std::collections::BTreeSet;

use crate::common::Flowmap;

/// The longest line of an example that a terminal of 80 columns leaves whole.
const COLUMNS: usize = 80;
/// As wide as help and tables for people are at most.
const PAGE: usize = 100;

/// The commands that a help lists, `help` not among them.
fn below(help: &str) -> Vec<String> {
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The help of a terminal of 80 columns.
fn help_of(flowmap: &Flowmap, path: &[String]) -> String {
    help_within(flowmap, path, COLUMNS)
}

fn help_within(flowmap: &Flowmap, path: &[String], columns: usize) -> String {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let output = flowmap.command(&args).env("COLUMNS", columns.to_string()).output().expect("flowmap starts");
    assert!(output.status.success(), "{path:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a help says before the usage, in a line.
fn description(help: &str) -> String {
    in_a_line(help.split_once("\nUsage:").map_or("", |(before, _)| before))
}

fn in_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The help of every command by its path.
fn tree(flowmap: &Flowmap) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let help = help_of(flowmap, &path);
        open.extend(below(&help).into_iter().map(|name| [path.clone(), vec![name]].concat()));
        found.push((path, help));
    }
    found
}

fn examples(help: &str) -> &str {
    help.split_once("Examples:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or_default())
}

fn flags(help: &str) -> BTreeSet<&str> {
    let words = help.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(str::split_whitespace);
    words.filter(|word| word.starts_with("--") && word.len() > 2).collect()
}

#[test]
fn the_man_page_holds_every_command_flag_and_example() {
    let flowmap = Flowmap::new();
    let page = flowmap.ok(&["gen", "man"]).stdout;
    let page: String = page.replace("\\-", "-").replace("\\e", "\\").replace("\\fB", "").replace("\\fR", "");
    let page = page.replace("\\*(Aq", "'");
    assert!(!page.contains("flowmap-"), "a page of its own is referred to, which is not there");
    let tree = tree(&flowmap);
    assert!(tree.iter().any(|(path, _)| path.join(" ") == "inventory import") && tree.len() > 20, "{tree:?}");
    for (path, help) in &tree {
        let name = ["flowmap".to_owned()].iter().chain(path).cloned().collect::<Vec<_>>().join(" ");
        let at = |heading: String| page.find(&heading).unwrap_or_else(|| panic!("{heading} is not there"));
        let section = if path.is_empty() {
            &page[..at(".SH COMMANDS".into())]
        } else {
            let section = &page[at(format!(".SH \"{}\"\n", name.to_uppercase()))..];
            section.match_indices("\n.SH ").next().map_or(section, |(end, _)| &section[..end])
        };
        let paragraphs: String = section.lines().filter(|line| !line.starts_with(".PP")).collect::<Vec<_>>().join(" ");
        assert!(in_a_line(&paragraphs).contains(&description(help)), "{name}: {}", description(help));
        for flag in flags(help).into_iter().filter(|flag| path.is_empty() || !["--db", "--help"].contains(flag)) {
            assert!(section.contains(flag), "{name} {flag}");
        }
        for line in examples(help).lines() {
            assert!(section.lines().any(|it| it == line), "{name}: {line}");
        }
    }
}

#[test]
fn every_help_has_examples_that_can_be_pasted() {
    let flowmap = Flowmap::new();
    for (path, help) in tree(&flowmap) {
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{path:?} has none");
        let mut goes_on = false;
        for line in examples.lines() {
            let command = line.trim_start().split(' ').next().unwrap_or_default();
            let is_command = ["flowmap", "kubectl", "hubble", "journalctl", "tcpdump"].contains(&command);
            assert!(line.chars().count() <= COLUMNS && (goes_on || is_command), "{path:?}: broken at {line}");
            goes_on = line.ends_with('\\');
        }
        assert!(!goes_on, "{path:?}");
    }
}

#[test]
fn every_help_fits_a_page_and_lists_commands_in_a_line_each() {
    let flowmap = Flowmap::new();
    for (path, _) in tree(&flowmap) {
        let help = help_within(&flowmap, &path, 200);
        let widest = help.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(widest <= PAGE, "{path:?}: {widest}");
        let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or(""));
        let goes_on = listed.lines().find(|line| line.starts_with("   "));
        assert_eq!(goes_on, None, "{path:?}");
    }
}

#[test]
fn whoever_exits_with_1_says_so_in_the_help_and_the_man_page() {
    let flowmap = Flowmap::new();
    let page = flowmap.ok(&["gen", "man"]).stdout;
    for command in ["suggest", "firewall", "simulate", "explain", "diff", "graph", "doctor"] {
        let told = description(&help_of(&flowmap, &[command.to_owned()]));
        assert!(told.contains("Exits with 1 where"), "{command}: {told}");
        let section = page.split_once(&format!(".SH \"FLOWMAP {}\"", command.to_uppercase())).map(|(_, rest)| rest);
        let section = section.and_then(|rest| rest.split("\n.SH ").next()).unwrap_or_default();
        assert!(section.contains("Exits with 1 where"), "{command}");
    }
}

#[test]
fn help_shows_no_marks_of_its_source() {
    let flowmap = Flowmap::new();
    assert!(help_of(&flowmap, &[]).contains("else below $XDG_STATE_HOME]"));
}

#[test]
fn status_as_csv_has_the_lines_that_people_read() {
    let flowmap = Flowmap::with_sample();
    let shown = flowmap.ok(&["status"]).stdout;
    let table = flowmap.ok(&["status", "-o", "csv"]).stdout;
    let mut csv = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(csv.headers().expect("a header"), vec!["what", "value"]);
    let rows: Vec<(String, String)> = csv.deserialize().collect::<Result<_, _>>().expect("CSV");
    let lines: Vec<String> = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(rows.iter().map(|(what, value)| format!("{what} {value}")).collect::<Vec<_>>(), lines);
}

#[test]
fn what_runs_and_diff_and_explain_print_fits_a_page_and_wide_leaves_nothing_out() {
    let flowmap = Flowmap::with_sample();
    flowmap.write("none/none.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    flowmap.ok(&["suggest", "-n", "production", "--out-dir", "out"]);
    let explain = ["explain", "production/debug", "production/db", "5432", "--policies", "out"];
    for args in [&["runs"][..], &["diff", "out", "none"], &explain] {
        let told = flowmap.run(args).stdout;
        assert!(!told.is_empty(), "{args:?}");
        for line in told.lines() {
            assert!(line.chars().count() <= PAGE, "{args:?}: {line}");
        }
    }
    let wide = flowmap.run(&["diff", "out", "none", "-o", "wide"]).stdout;
    assert!(!wide.contains(" more  ") && !wide.contains('…'), "{wide}");
    assert!(flowmap.ok(&["runs", "-o", "wide"]).stdout.contains("2026-11-23T23:23:25."), "to the microsecond");
}

#[test]
fn the_columns_of_a_csv_are_plain_words() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "production", "--out-dir", "out"]);
    let suggest = ["suggest", "-n", "production", "--out-dir", "again"];
    let versus = ["simulate", "out", "--versus", "out"];
    let lists: [&[&str]; 7] =
        [&["runs"], &["inventory", "names"], &["segments"], &["flows"], &["inventory", "list"], &suggest, &versus];
    for list in lists {
        let table = flowmap.ok(&[list, &["-o", "csv"]].concat()).stdout;
        let header = table.lines().next().unwrap_or_default();
        let is_plain = |letter: char| letter.is_ascii_lowercase() || "_,".contains(letter);
        assert!(!header.is_empty() && header.chars().all(is_plain), "{list:?}: {header}");
    }
}

#[test]
fn what_the_doctor_finds_fits_a_page_with_its_cures() {
    let flowmap = Flowmap::new();
    let output = flowmap.run(&["doctor", "no-such-0"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.starts_with("CHECK       STATE      FINDING\n"), "{output:?}");
    assert!(output.stdout.contains(&format!("\n{}cure: `ip link` lists the interfaces", " ".repeat(23))), "{output:?}");
    assert!(output.stdout.lines().all(|line| line.chars().count() <= PAGE), "{output:?}");
    assert!(flowmap.run(&["doctor", "no-such-0", "-o", "csv"]).stdout.starts_with("check,state,finding,cure\n"));
}

#[test]
fn an_import_as_csv_has_a_row_for_each_run() {
    let flowmap = Flowmap::new();
    flowmap.write("flows.csv", "client,server,protocol,port\n10.0.0.1,10.0.0.2,TCP,80\n");
    for added in ["yes", "no"] {
        let output = flowmap.ok(&["import", "flows.csv", "-o", "csv"]);
        let rows: Vec<&str> = output.stdout.lines().collect();
        let [header, row] = rows[..] else { panic!("{output:?}") };
        assert!(header.starts_with("id,site,") && header.ends_with(",added"), "{header}");
        assert!(row.contains(",flows.csv,") && row.ends_with(&format!(",{added}")), "{row}");
    }
}

#[test]
fn a_sheet_runs_nothing_of_a_csv() {
    let flowmap = Flowmap::new();
    flowmap.write("hosts.csv", "address,name,role\n10.0.0.1,\"=HYPERLINK(\"\"x\"\")\",-1.5\n10.0.0.2,@SUM(A1),-\n");
    flowmap.ok(&["inventory", "import", "hosts.csv"]);
    let table = flowmap.ok(&["inventory", "list", "-o", "csv"]).stdout;
    let mut csv = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = csv.records().collect::<Result<_, _>>().expect("CSV");
    let cells: Vec<[&str; 2]> = rows.iter().map(|row| [&row[2], &row[8]]).collect();
    assert!(cells.contains(&["'=HYPERLINK(\"x\")", "-1.5"]) && cells.contains(&["'@SUM(A1)", "-"]), "{table}");
    assert!(flowmap.ok(&["inventory", "list", "-o", "json"]).stdout.contains(r#""name": "@SUM(A1)""#));
}

#[test]
fn why_a_list_is_empty_is_told_where_there_is_more_than_was_selected() {
    let flowmap = Flowmap::with_sample();
    let elsewhere = "nothing is known of the site lab; known are default";
    for list in
        [&["flows"][..], &["segments"], &["tiers"], &["inventory", "names"], &["inventory", "list"], &["status"]]
    {
        let output = flowmap.ok(&[list, &["--site", "lab"]].concat());
        assert!(output.stderr.contains(elsewhere), "{list:?}: {output:?}");
    }
    for list in [&["segments"][..], &["inventory", "names"]] {
        let output = flowmap.ok(&[list, &["--since", "2026-11-25T00:00:00Z"]].concat());
        assert!(output.stderr.contains("in what was selected; there are captures from 2026-11-23T"), "{output:?}");
    }
    let output = flowmap.ok(&["inventory", "list", "-n", "nowhere"]);
    assert_eq!(output.stderr, "nobody is known of nowhere\n");
}

#[test]
fn a_disk_that_is_full_is_told_to_be_that_of_stdout() {
    let flowmap = Flowmap::with_sample();
    for output in ["table", "json", "csv"] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let ended = flowmap.command(&["flows", "-o", output]).stdout(full).output().expect("flowmap starts");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{told}");
        assert!(told.starts_with("flowmap: stdout: No space left on device"), "{told}");
    }
}
