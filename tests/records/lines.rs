//! What lines are records, and under which header, through the command line.

use crate::common::Flowmap;

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
