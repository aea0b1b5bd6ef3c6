//! Files that `--db` may name and that are no store of this flowmap: one clear line, exit code 2, and not a byte changed.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

use crate::common::{Flowmap, files, python::sql, sample};

/// Commands that read and that write.
fn commands() -> [Vec<String>; 4] {
    let import = ["import".to_owned(), sample("node-2.pcap")];
    let inventory = ["inventory".to_owned(), "import".to_owned(), sample("cluster.json")];
    [vec!["flows".to_owned()], vec!["status".to_owned()], import.to_vec(), inventory.to_vec()]
}

/// Every command refuses the store with these words, and leaves the file as it was.
#[track_caller]
fn is_refused(flowmap: &Flowmap, words: &[&str]) {
    let path = flowmap.path("flowmap.db");
    let before = fs::read(&path).ok();
    for args in commands() {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        flowmap.run(&args).is_an_error(words);
        assert!(fs::read(&path).ok() == before, "{args:?} has changed the file");
    }
}

#[test]
fn a_file_that_is_not_sqlite_is_no_store() {
    let flowmap = Flowmap::new();
    for bytes in [&b"hello world"[..], &[0xee; 10_000], &fs::read(sample("node-1.pcap")).unwrap()] {
        flowmap.write("flowmap.db", bytes);
        is_refused(&flowmap, &["flowmap.db: not a flowmap store", "hint: name another file with --db"]);
    }
}

#[test]
fn a_run_of_a_kind_that_is_not_known_is_damage() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    sql(&flowmap.path("flowmap.db"), "UPDATE run SET kind = 'dream'");
    flowmap.run(&["runs"]).is_an_error(&["the store is damaged: kind cannot be read"]);
}

#[test]
fn a_file_of_another_program_gets_no_tables_of_ours() {
    let migrations =
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP,
                      success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);";
    let noted =
        format!("{migrations} INSERT INTO _sqlx_migrations VALUES (1, 'theirs', CURRENT_TIMESTAMP, 1, x'00', 1);");
    for before in ["", "PRAGMA journal_mode = WAL;", migrations, &noted, "CREATE VIEW one AS SELECT 1;"] {
        let flowmap = Flowmap::new();
        sql(
            &flowmap.path("flowmap.db"),
            &format!("{before} CREATE TABLE bookmark (url TEXT); INSERT INTO bookmark VALUES ('x');"),
        );
        is_refused(&flowmap, &["flowmap.db: not a flowmap store", "hint: name another file with --db"]);
    }
}

#[test]
fn a_store_that_a_newer_flowmap_made_is_left_to_it() {
    let flowmap = Flowmap::with_sample();
    sql(
        &flowmap.path("flowmap.db"),
        "INSERT INTO _sqlx_migrations VALUES (9999, 'later', CURRENT_TIMESTAMP, 1, x'00', 1)",
    );
    is_refused(&flowmap, &["flowmap.db: made by a newer version of flowmap", "hint: use the version"]);
}

#[test]
fn a_damaged_store_is_told_not_believed() {
    let flowmap = Flowmap::with_sample();
    let whole = fs::read(flowmap.path("flowmap.db")).unwrap();
    flowmap.write("flowmap.db", &whole[..whole.len() / 2 + 100]);
    is_refused(&flowmap, &["flowmap.db", "hint: "]);
    let mut noise = whole.clone();
    noise[4096..].fill(0xee);
    flowmap.write("flowmap.db", &noise);
    is_refused(&flowmap, &["flowmap.db", "hint: "]);
}

#[test]
fn a_folder_is_no_store() {
    let flowmap = Flowmap::new();
    fs::create_dir(flowmap.path("flowmap.db")).unwrap();
    is_refused(&flowmap, &["flowmap.db: is a directory", "hint: name a file you may write with --db"]);
}

#[test]
fn a_store_in_a_folder_that_may_not_be_written_is_an_error() {
    let flowmap = Flowmap::new();
    fs::create_dir(flowmap.path("sealed")).unwrap();
    fs::set_permissions(flowmap.path("sealed"), Permissions::from_mode(0o555)).unwrap();
    for db in ["sealed/flowmap.db", "sealed/below/flowmap.db"] {
        let import = ["--db", db, "import", &sample("node-1.pcap")];
        flowmap.as_a_mere_user(&import).is_an_error(&[db, "hint: name a file you may write"]);
    }
    assert!(files(&flowmap.path("sealed")).is_empty());
}

#[test]
fn a_store_is_made_with_the_folders_that_lead_to_it() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["--db", "a/b/flowmap.db", "import", &sample("node-1.pcap")]);
    assert!(flowmap.path("a/b/flowmap.db").exists() && !flowmap.path("flowmap.db").exists());
}

#[test]
fn a_new_store_is_its_owners_alone_and_one_that_is_there_keeps_its_mode() {
    let flowmap = Flowmap::new();
    let mode = || fs::metadata(flowmap.path("flowmap.db")).unwrap().permissions().mode() & 0o777;
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    assert_eq!(mode(), 0o600);
    fs::set_permissions(flowmap.path("flowmap.db"), Permissions::from_mode(0o640)).unwrap();
    flowmap.ok(&["import", &sample("node-2.pcap")]);
    assert_eq!(mode(), 0o640);
}

#[test]
fn who_may_read_a_store_and_not_write_it_reads_what_it_holds() {
    let flowmap = Flowmap::new();
    fs::create_dir(flowmap.path("sealed")).unwrap();
    let db = ["--db", "sealed/flowmap.db"];
    flowmap.ok(&[&db[..], &["import", &sample("node-1.pcap")]].concat());
    flowmap.ok(&[&db[..], &["inventory", "import", &sample("cluster.json")]].concat());
    let reading: [&[&str]; 5] = [&["flows"], &["runs"], &["status"], &["inventory", "list"], &["segments"]];
    let whole: Vec<String> = reading.iter().map(|args| flowmap.ok(&[&db[..], args].concat()).stdout).collect();
    // the file alone, the folder too, and the folder alone
    for (file, folder) in [(0o444, 0o755), (0o444, 0o555), (0o644, 0o555)] {
        fs::set_permissions(flowmap.path("sealed/flowmap.db"), Permissions::from_mode(file)).unwrap();
        fs::set_permissions(flowmap.path("sealed"), Permissions::from_mode(folder)).unwrap();
        for (args, told) in reading.iter().zip(&whole) {
            let output = flowmap.as_a_mere_user(&[&db[..], args].concat());
            assert_eq!((output.code, &output.stdout), (0, told), "{args:?}: {}", output.stderr);
        }
        let run = flowmap.json(&[&db[..], &["runs"]].concat())[0]["id"].as_str().unwrap().to_owned();
        for writing in [&["runs", "rm", &run][..], &["import", &sample("node-2.pcap")]] {
            let output = flowmap.as_a_mere_user(&[&db[..], writing].concat());
            output.is_an_error(&["flowmap: sealed/flowmap.db: ", "hint: name a file you may write"]);
        }
        assert_eq!(files(&flowmap.path("sealed")).len(), 1, "nothing is left beside it");
    }
}

#[test]
fn files_alone_leave_the_store_alone() {
    let flowmap = Flowmap::new();
    let (node, cluster) = (sample("node-1.pcap"), sample("cluster.json"));
    let alone = ["--from", &node, "--inventory", &cluster];
    flowmap.ok(&[&["flows"], &alone[..]].concat());
    flowmap.ok(&[&["suggest", "-n", "production"], &alone[..]].concat());
    flowmap.ok(&[&["simulate", "policies-out"], &alone[..]].concat());
    assert!(!flowmap.path("flowmap.db").exists());
}

#[test]
fn who_only_reads_makes_no_store() {
    let flowmap = Flowmap::new();
    let commands: [&[&str]; 8] = [
        &["flows"],
        &["status"],
        &["runs"],
        &["runs", "rm", "0123456789abcdef"],
        &["tiers"],
        &["inventory", "list"],
        &["inventory", "names"],
        &["suggest", "-n", "shop"],
    ];
    for command in commands {
        flowmap.run(&[&["--db", "there/is/none.db"], command].concat());
        assert!(!flowmap.path("there").exists(), "{command:?}");
    }
}

/// As where a daemon starts while somebody asks for its store, or a script starts several commands.
#[test]
fn a_store_that_many_make_at_once_is_made_once_and_serves_all() {
    let flowmap = Flowmap::new();
    for n in 0..8 {
        flowmap.write(&format!("{n}.csv"), format!("client,server,protocol,port\n10.0.0.{n},10.0.1.1,TCP,80\n"));
    }
    let commands = (0..8).flat_map(|n| {
        [vec!["import".into(), crate::common::text(&flowmap.path(&format!("{n}.csv")))], vec!["runs".into()]]
    });
    let started: Vec<_> = commands
        .map(|args: Vec<String>| {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut command = flowmap.command(&args);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in started {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(flowmap.json(&["runs"]).as_array().unwrap().len(), 8);
}
