//! Stores of other hosts, imported into one.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::common::{
    Flowmap,
    lab::{Lab, rows, until},
    python::python,
    sample, text,
};

/// One of two hosts' stores each, and one into which all their captures were imported.
fn hosts(flowmap: &Flowmap) {
    flowmap.ok(&["--db", "a.db", "import", &sample("node-1.pcap")]);
    flowmap.ok(&["--db", "b.db", "import", &sample("node-2.pcap"), &sample("pod-api.pcap")]);
    flowmap.ok(&["--db", "b.db", "inventory", "import", &sample("cluster.json")]);
    flowmap.ok(&[
        "--db",
        "whole.db",
        "import",
        &sample("node-1.pcap"),
        &sample("node-2.pcap"),
        &sample("pod-api.pcap"),
    ]);
    flowmap.ok(&["--db", "whole.db", "inventory", "import", &sample("cluster.json")]);
}

/// All that a store tells.
fn told(flowmap: &Flowmap, db: &str) -> Vec<String> {
    let lists: [&[&str]; 8] = [
        &["flows"],
        &["flows", "--by", "address"],
        &["runs"],
        &["inventory", "list"],
        &["inventory", "names"],
        &["segments"],
        &["tiers"],
        &["status"],
    ];
    lists.iter().map(|args| flowmap.ok(&[&["--db", db], *args, &["-o", "json"]].concat()).stdout).collect()
}

/// Runs SQL on a database, and ends as if by a crash: what was written stays in its write-ahead log.
fn sql_and_crash(path: &Path, sql: &str) {
    let script = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); os._exit(0)";
    assert!(Command::new(python()).args(["-c", script]).arg(path).arg(sql).status().unwrap().success());
}

/// The names and contents of all files of a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn stores_of_hosts_give_what_their_captures_would_have_given_in_whatever_order_and_however_often() {
    let flowmap = Flowmap::new();
    hosts(&flowmap);
    let whole = told(&flowmap, "whole.db");
    for order in [["a.db", "b.db"], ["b.db", "a.db"]] {
        let db = format!("of-{}", order[0]);
        let output = flowmap.ok(&["--db", &db, "import", order[0], order[1]]);
        assert!(output.stderr.contains("b.db: 1 of 1 listings of who is who were new\n"), "{}", output.stderr);
        assert_eq!(told(&flowmap, &db), whole);
        // also a capture that is in one of them
        let output = flowmap.ok(&["--db", &db, "import", order[0], order[1], "whole.db", &sample("node-1.pcap")]);
        assert_eq!(output.stderr.matches("already in the store, nothing added\n").count(), 3 + 3 + 1);
        assert_eq!(told(&flowmap, &db), whole);
    }
    let imported = flowmap.json(&["--db", "json.db", "import", "b.db"]);
    let runs = imported.as_array().unwrap();
    assert!(runs.iter().all(|it| it["added"] == true));
    assert_eq!(runs.iter().map(|it| &it["run"]["source"]).collect::<Vec<_>>(), ["node-2.pcap", "pod-api.pcap"]);
    // files alone
    let alone = flowmap.ok(&["flows", "--from", "a.db", "b.db", "-o", "json"]);
    assert_eq!(alone.stdout, whole[0]);
    assert!(!flowmap.path("flowmap.db").exists());
}

#[test]
fn a_store_that_is_compressed_or_comes_by_a_pipe_is_taken_in() {
    let flowmap = Flowmap::new();
    hosts(&flowmap);
    let bytes = fs::read(flowmap.path("whole.db")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    flowmap.write("whole.gz", gzip.finish().unwrap());
    flowmap.write("whole.zst", zstd::encode_all(&bytes[..], 1).unwrap());
    for name in ["whole.gz", "whole.zst"] {
        flowmap.ok(&["--db", &format!("of-{name}.db"), "import", name]);
        assert_eq!(told(&flowmap, &format!("of-{name}.db")), told(&flowmap, "whole.db"));
    }
    assert_eq!(flowmap.feed(&["--db", "piped.db", "import", "-"], &bytes).code, 0);
    assert_eq!(told(&flowmap, "piped.db"), told(&flowmap, "whole.db"));
}

#[test]
fn the_file_and_its_folder_stay_as_they_are() {
    let flowmap = Flowmap::new();
    hosts(&flowmap);
    fs::create_dir(flowmap.path("far")).unwrap();
    fs::copy(flowmap.path("whole.db"), flowmap.path("far/flowmap.db")).unwrap();
    let before = files(&flowmap.path("far"));
    let temporary = flowmap.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut command = flowmap.command(&["import", "far/flowmap.db"]);
    assert!(command.env("TMPDIR", &temporary).output().unwrap().status.success());
    assert!(files(&flowmap.path("far")) == before, "something was written there");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "the copy is gone");

    // what a daemon that was killed has left in its log belongs to it
    sql_and_crash(&flowmap.path("far/flowmap.db"), "UPDATE run SET sensor = 'of the log'");
    assert!(flowmap.path("far/flowmap.db-wal").metadata().unwrap().len() > 0);
    let before = files(&flowmap.path("far"));
    flowmap.ok(&["--db", "log.db", "import", "far/flowmap.db"]);
    assert_eq!(flowmap.json(&["--db", "log.db", "runs"])[0]["sensor"], "of the log");
    let after = files(&flowmap.path("far"));
    let is_shared_memory = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "db-shm");
    assert!(before.iter().filter(|it| !is_shared_memory(&it.0)).all(|(path, bytes)| after.get(path) == Some(bytes)));
    assert_eq!(before.len(), after.len());
}

#[test]
fn where_the_store_that_is_written_is_held_by_another_the_source_is_not_blamed() {
    let flowmap = Flowmap::new();
    hosts(&flowmap);
    let script = "import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()";
    let mut holder = Command::new(python());
    holder.args(["-c", script]).arg(flowmap.path("a.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().expect("python starts");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let refused = flowmap.run(&["--db", "a.db", "import", "b.db"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    refused.is_an_error(&["flowmap: the store is locked by another process", "hint: another flowmap is writing"]);
}

/// The first steps of the schema alone, as an early version made them.
#[test]
fn a_store_of_an_earlier_version_is_read_and_not_brought_up_to_date() {
    let flowmap = Flowmap::new();
    let script = "
import hashlib, pathlib, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute('CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)')
for path in sorted(pathlib.Path(sys.argv[2]).glob('000[1-5]_*.sql')):
    text = path.read_text()
    c.executescript(text)
    number, _, what = path.stem.partition('_')
    c.execute('INSERT INTO _sqlx_migrations VALUES (?, ?, CURRENT_TIMESTAMP, 1, ?, 1)', (int(number), what.replace('_', ' '), hashlib.sha384(text.encode()).digest()))
c.execute(\"INSERT INTO run VALUES (77, 'lab', 'host', 'old.pcap', 'file', 5, 5, '{}', 0, 0, 3, 1000, 2000, NULL)\")
c.execute(\"INSERT INTO name VALUES (77, x'c0000201', 'old.example', 'dns', x'0a000001', 60, 1000, 2000, 4)\")
c.commit()
";
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let made = Command::new(python()).args(["-c", script]).arg(flowmap.path("old.db")).arg(migrations).status();
    assert!(made.unwrap().success());
    let before = fs::read(flowmap.path("old.db")).unwrap();
    flowmap.ok(&["import", "old.db"]);
    assert!(fs::read(flowmap.path("old.db")).unwrap() == before);
    let run = &flowmap.json(&["runs"])[0];
    assert_eq!((&run["id"], &run["site"], &run["packets"]), (&"000000000000004d".into(), &"lab".into(), &5.into()));
    assert_eq!(run["bounds"]["connections written out early, the table was full"], 3);
    flowmap.write("hosts.csv", "address,name\n10.0.0.1,client\n");
    flowmap.ok(&["inventory", "import", "--site", "lab", "hosts.csv"]);
    assert_eq!(flowmap.json(&["inventory", "names", "--site", "lab"])[0]["name"], "old.example");
}

#[test]
fn what_is_no_store_or_cannot_be_read_is_refused_and_nothing_is_written() {
    let flowmap = Flowmap::new();
    hosts(&flowmap);
    let whole = fs::read(flowmap.path("whole.db")).unwrap();
    flowmap.write("half.db", &whole[..whole.len() / 2 + 100]);
    let mut noise = whole.clone();
    noise[whole.len() / 2..].fill(0xee);
    flowmap.write("noise.db", &noise);
    let mut odd = whole.clone();
    let column = b"dropped_by_kernel ";
    // what a step of the schema changed is there twice
    while let Some(at) = odd.windows(column.len()).position(|bytes| bytes == column) {
        odd[at] = 0xff;
    }
    flowmap.write("odd.db", &odd);
    fs::copy(flowmap.path("whole.db"), flowmap.path("newer.db")).unwrap();
    let newer = "INSERT INTO _sqlx_migrations VALUES (9999, 'later', CURRENT_TIMESTAMP, 1, x'00', 1)";
    sql_and_crash(&flowmap.path("newer.db"), newer);
    sql_and_crash(&flowmap.path("another.db"), "CREATE TABLE bookmark (url TEXT); INSERT INTO bookmark VALUES ('x')");
    let cases: [(&[&str], &[&str]); 9] = [
        (&["half.db"], &["half.db: the store is damaged", "hint: "]),
        (&["noise.db"], &["noise.db: the store is damaged", "hint: "]),
        (&["odd.db"], &["odd.db: the store is damaged: its schema is no text", "hint: "]),
        (&["newer.db"], &["newer.db: made by a newer version of flowmap"]),
        (&["another.db"], &["another.db: not a flowmap store", "hint: "]),
        (&["none.db"], &["none.db: no such file"]),
        (&["--sensor", "here", "a.db"], &["--sensor here: a.db is a store", "hint: leave it out"]),
        (&["--vxlan-port", "9999", "a.db"], &["--vxlan-port 9999: a.db is a store", "hint: leave it out"]),
        (&["flowmap.db"], &["flowmap.db: is the store that it would go to", "hint: "]),
    ];
    for (args, words) in cases {
        flowmap.run(&[&["import"], args].concat()).is_an_error(words);
        assert_eq!(flowmap.json(&["runs"]), Value::Array(Vec::new()), "{args:?}");
    }
}

#[test]
fn sites_of_a_store_stay_apart_and_one_alone_can_be_given_another_name() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["--db", "east.db", "import", "--site", "east", &sample("node-1.pcap")]);
    flowmap.ok(&["--db", "both.db", "import", "east.db"]);
    flowmap.ok(&["--db", "both.db", "import", "--site", "west", &sample("node-1.pcap")]);
    let refused = flowmap.run(&["import", "--site", "north", "both.db"]);
    refused.is_an_error(&["--site north: both.db holds several sites (east, west)", "hint: without it"]);
    let sites = |args: &[&str]| -> Vec<String> {
        let runs = flowmap.json(args);
        let mut sites: Vec<_> =
            runs.as_array().unwrap().iter().map(|run| run["site"].as_str().unwrap().to_owned()).collect();
        sites.sort_unstable();
        sites
    };
    flowmap.ok(&["import", "both.db"]);
    assert_eq!(sites(&["runs"]), ["east", "west"]);
    flowmap.ok(&["import", "--site", "north", "east.db"]);
    flowmap.ok(&["import", "--site", "north", "east.db"]);
    assert_eq!(sites(&["runs"]), ["east", "north", "west"]);
}

/// Triggers and views are programs: of a file from elsewhere none is run on what is here.
#[test]
fn what_a_strange_store_brings_with_it_is_not_believed() {
    let flowmap = Flowmap::new();
    hosts(&flowmap);
    sql_and_crash(
        &flowmap.path("a.db"),
        "UPDATE run SET sensor = 'x' || char(27) || '[31m' || char(10) || 'flowmap: y', source = char(10) || 'flowmap: z';
         UPDATE observation_part SET hour = 2147483647;",
    );
    for program in [
        "CREATE TRIGGER at_once AFTER UPDATE ON run BEGIN DELETE FROM run; END",
        "DROP VIEW seen_part; CREATE VIEW seen_part AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n",
    ] {
        fs::copy(flowmap.path("a.db"), flowmap.path("odd.db")).unwrap();
        sql_and_crash(&flowmap.path("odd.db"), program);
        flowmap.run(&["import", "odd.db"]).is_an_error(&["odd.db: the store is damaged: it holds views or triggers"]);
        for left in ["odd.db-wal", "odd.db-shm"] {
            fs::remove_file(flowmap.path(left)).unwrap();
        }
    }
    let output = flowmap.ok(&["import", "a.db"]);
    assert!(!output.stderr.contains('\u{1b}') && !output.stderr.contains("\nflowmap: "), "{output:?}");
    let table = flowmap.ok(&["runs"]).stdout;
    assert!(!table.contains('\u{1b}') && table.lines().count() == 2, "{table}");
    flowmap.ok(&["flows"]);
    flowmap.ok(&["status"]);
}

#[test]
fn the_store_of_a_daemon_that_goes_on_is_taken_in_and_brought_up_to_date() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    let (there, here) = (text(&flowmap.path("store.db")), text(&flowmap.path("here.db")));
    lab.talk();
    until("its run is written", || !flowmap.json(&["--db", &there, "runs"]).as_array().unwrap().is_empty());
    flowmap.ok(&["--db", &here, "import", &there]);
    assert_eq!(flowmap.json(&["--db", &here, "runs"]).as_array().unwrap().len(), 1);
    lab.talk();
    daemon.stop();
    flowmap.ok(&["--db", &here, "import", &there]);
    assert_eq!(rows(&flowmap, &flowmap.path("here.db")), rows(&flowmap, &flowmap.path("store.db")));
    assert_eq!(flowmap.json(&["--db", &here, "runs"]), flowmap.json(&["--db", &there, "runs"]));
}
