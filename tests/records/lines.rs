//! What lines are records, and under which header, through the command line.

use crate::common::{Flowmap, rows::rows};

/// The flows of a log, and what its import says.
fn told(log: &str) -> (Vec<String>, String) {
    let flowmap = Flowmap::new();
    flowmap.write("flows.log", log);
    let said = flowmap.ok(&["import", "flows.log"]).stderr;
    (rows(&flowmap, &["flows.log".into()]), said)
}

const TO_HTTP: &str = "10.0.0.1 > 10.0.0.9:80/TCP established handshake 1";
const TO_SSH: &str = "10.0.0.1 > 10.0.0.9:22/TCP established handshake 1";
const HEADER: &str = "user_agent,client,server,protocol,port\n";

#[test]
fn what_stands_in_a_quoted_cell_is_no_record_and_the_record_around_it_is_one() {
    let cell = "\"evil\n\n# no comment\nx,10.0.0.1,10.0.0.9,tcp,22\n\"\"more\"\" \"";
    let log = format!("{HEADER}{cell},10.0.0.1,10.0.0.9,tcp,80\n");
    for log in [log.clone(), log.replace('\n', "\r\n"), log.trim_end().to_owned() + "\n"] {
        let (flows, said) = told(&log);
        assert_eq!(flows, [TO_HTTP], "{log}");
        assert!(said.starts_with("flows.log: 1 records, 1 used\n"), "{said}");
    }
}

#[test]
fn the_lines_of_a_quote_that_does_not_end_as_a_cell_does_are_damaged() {
    let row = "x,10.0.0.1,10.0.0.9,tcp,22\n";
    // to the end of the file
    let (flows, said) = told(&format!("{HEADER}x,10.0.0.1,10.0.0.9,tcp,80\n\"x,10.0.0.1,10.0.0.9,tcp,22\n{row}{row}"));
    assert_eq!(flows, [TO_HTTP]);
    assert!(said.contains("line 3: in a quote that is not closed") && said.contains("4 records, 1 used"), "{said}");
    // two that stand by themselves: the second ends no cell
    let (flows, said) = told(&format!(
        "{HEADER}\"disk,10.0.0.1,10.0.0.9,tcp,22\n{row}\"other,10.0.0.1,10.0.0.9,tcp,22\nx,10.0.0.1,10.0.0.9,tcp,80\n"
    ));
    assert_eq!(flows, [TO_HTTP]);
    assert!(said.contains("4 records, 1 used"), "{said}");
    // within a cell it is a letter
    let (flows, _) = told(&format!("{HEADER}5\" disk,10.0.0.1,10.0.0.9,tcp,22\n5\" disk,10.0.0.1,10.0.0.9,tcp,80\n"));
    assert_eq!(flows, [TO_SSH, TO_HTTP]);
    // however long it is, what stands in it is no record
    let long = format!("\"{}{}\n\"", row.repeat(3_000), "x".repeat(200_000));
    let (flows, said) = told(&format!("{HEADER}{long},10.0.0.1,10.0.0.9,tcp,22\nx,10.0.0.1,10.0.0.9,tcp,80\n"));
    assert_eq!(flows, [TO_HTTP]);
    assert!(said.contains("3003 records, 1 used"), "{said}");
}

#[test]
fn a_further_header_of_a_csv_holds_from_there_on() {
    let (one, two) = ("10.0.0.1,10.0.0.9,tcp,80\n", "22,10.0.0.9,tcp,10.0.0.1\n");
    let log = format!("client,server,protocol,port\n{one}\u{feff}Dst_Port,server,protocol,client\n{two}");
    let (flows, said) = told(&log);
    assert_eq!(flows, [TO_SSH, TO_HTTP]);
    assert!(said.starts_with("flows.log: 2 records, 2 used\n"), "{said}");
    // one that does not do for records
    let (flows, said) = told(&format!("client,server,protocol,port\n{one}client,server,protocol\n{one}"));
    assert_eq!(flows, [TO_HTTP]);
    assert!(said.contains("line 3: its header lacks a column") && said.contains("3 records, 1 used"), "{said}");
}

#[test]
fn a_log_of_zeek_with_other_headers_is_another_log() {
    let log = "#separator \\x09\n#path\tconn\n#open\t2026-09-21-10-00-00\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\
               \tproto\tconn_state\thistory\n1789984801.0\tC1\t10.0.0.1\t45000\t10.0.0.9\t80\ttcp\tSF\tShADadFf\n";
    let flowmap = Flowmap::new();
    flowmap.write("bad.log", log.replace("#fields", "#feelds"));
    flowmap.write("good.log", log);
    flowmap.write("later.log", log.replace("10-00-00", "11-00-00"));
    assert!(flowmap.ok(&["import", "bad.log"]).stderr.contains("no #fields before it"));
    assert!(flowmap.ok(&["import", "good.log"]).stderr.starts_with("good.log: 1 records, 1 used\n"));
    // when it was opened says nothing of how it is read
    assert!(flowmap.ok(&["import", "later.log"]).stderr.contains("already in the store"));
}
