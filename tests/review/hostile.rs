//! Names, reasons and policies of strangers on the review page and in what it exports: text, and nothing else.

use std::{fs, process::Command};

use crate::common::{
    Flowmap,
    cluster::{list, node, object, of, owned, pod, with},
    packets::Capture,
    review::Review,
};

#[test]
fn hostile_names_are_text_and_nothing_else() {
    let flowmap = crate::common::review::hostile();
    let review = Review::start_unscoped(&flowmap, &["--out-dir", "out"]);
    for page in ["/", "/map", "/dependencies", "/denied", "/changes", "/history", "/export", "/map.json"] {
        let answer = review.get(page);
        assert_eq!(answer.status, 200, "{page}");
        let body = if page == "/map.json" { String::new() } else { answer.body };
        assert!(!body.contains("<script>") && !body.contains("<img src=x"), "{page}");
        assert!(!body.contains('\u{202e}') && !body.contains('\u{7}'), "{page}");
    }
    let all = review.get("/dependencies").body;
    assert!(all.contains("&#60;script&#62;") || all.contains("&lt;script&gt;"), "the names are there: {all}");
    // every link of the list leads to a page
    for link in review.get("/dependencies").links("/dependency?").iter().take(40) {
        let answer = review.get(link);
        assert_eq!(answer.status, 200, "{link}");
        assert!(!answer.body.contains("<script>") && !answer.body.contains("<img src=x"), "{link}");
    }
}

#[test]
fn a_workload_that_no_policy_can_be_named_after_gets_one_of_another_name() {
    let flowmap = Flowmap::new();
    let name = "<script>alert(1)</script>";
    let client = with(pod("web", "10.244.1.9"), "/metadata/labels", serde_json::json!({"app": "web", "note": name}));
    let items = [owned(client, "StatefulSet", name), pod("api", "10.244.1.10")];
    flowmap.write("cluster.json", serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    flowmap.write("flows.csv", "client,server,protocol,port\n10.244.1.9,10.244.1.10,TCP,80\n");
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let review = Review::start_unscoped(&flowmap, &[]);
    let page = review.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("script-alert-1-script-statefulset-"), "{}", page.body);
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

/// An answer to a question for a name, made of these labels, as a server of names gives it.
fn answer(labels: &[&[u8]], address: [u8; 4]) -> Vec<u8> {
    let name: Vec<u8> = labels.iter().flat_map(|it| [&[u8::try_from(it.len()).unwrap()], *it].concat()).collect();
    let question = [&name[..], &[0, 0, 1, 0, 1]].concat();
    let record = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4], &address[..]].concat();
    [&[0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], &question[..], &record].concat()
}

/// What nobody should be named, and what would be seen of it where it were more than text.
const SHELL: &str = "x'; touch pwned; '$(touch pwned)`touch pwned`";
const MARKDOWN: &str =
    "Ann\n```sh\ntouch pwned\n```\n\n## Step 0\n<script>alert(1)</script> [a](javascript:b) \u{202e}txt";

/// A cluster, and a capture of it, whose names are hostile wherever names come from.
fn hostile_cluster() -> Flowmap {
    let flowmap = Flowmap::new();
    let policy = |name: &str, note: &str| {
        let mut policy = object("networking.k8s.io/v1", "NetworkPolicy", name);
        policy["metadata"]["annotations"] = serde_json::json!({"note": note});
        policy["spec"] =
            serde_json::json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]});
        policy
    };
    let stranger = with(of("elsewhere", pod("web", "10.244.1.30")), "/metadata/name", SHELL.into());
    let items = [
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        pod("web", "10.244.1.10"),
        pod("api", "10.244.1.20"),
        owned(stranger, "Deployment", MARKDOWN),
        policy("web", "UNDO\nUNDO\n touch pwned\n'; touch pwned"),
        policy(SHELL, MARKDOWN),
    ];
    flowmap.write("cluster.json", list(&items));
    let mut capture = Capture::new();
    let server = ([10, 244, 1, 2], 53);
    let labels: [&[u8]; 4] = [b"`touch pwned`", b"'; touch pwned #", b"<script>\n```", b"example"];
    for n in 1..=3_u8 {
        capture.datagram(server, ([10, 244, 1, 10], 40_000), &answer(&labels[usize::from(n) - 1..], [203, 0, 113, n]));
        capture.talk(&format!("10.244.1.10:4100{n}"), &format!("203.0.113.{n}:443"));
    }
    capture.talk("10.244.1.30:42000", "10.244.1.20:8080").talk("10.244.1.10:42001", "10.244.1.20:8080");
    flowmap.write("hostile.pcap", capture.bytes());
    flowmap.ok(&["import", "--sensor", "node-1", "hostile.pcap"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap
}

#[test]
fn hostile_names_and_words_are_text_in_what_is_exported_too() {
    let flowmap = hostile_cluster();
    let review = Review::start_unscoped(&flowmap, &["-n", "shop", "--author", "Ann", "--out-dir", "out"]);
    let said = |form: Vec<(String, String)>| {
        let mut form: Vec<_> = form.into_iter().filter(|(name, _)| name != "author").collect();
        form.extend([("author".to_owned(), MARKDOWN.to_owned()), ("reason".to_owned(), MARKDOWN.to_owned())]);
        form
    };
    let page = review.edit("shop/api.yaml#api", "ingress", "web", "remove", &[]);
    review.post("/decide", &said(page.form("/decide"))).lands("/policy");
    review.post("/decide", &said(review.get("/").form("/decide"))).lands("/");
    review.post("/export", &review.get("/export").form("/export")).lands("/export");
    let read = |name: &str| fs::read_to_string(flowmap.path(&format!("out/{name}"))).unwrap();
    // the only commands are those that flowmap wrote, and the only headings
    let rollout = read("ROLLOUT.md");
    let mut is_code = false;
    for line in rollout.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            continue;
        }
        let is_ours = line.starts_with("kubectl diff -f shop/")
            || line.starts_with("kubectl apply -f shop/")
            || matches!(line, "kubectl apply -k shop" | "flowmap simulate out");
        assert!(!is_code || is_ours, "{line}");
        assert!(is_code || !line.contains("```") || line.starts_with("- "), "{line}");
        assert!(!line.replace("\\<", "").contains('<') && !line.contains('\u{202e}'), "{line}");
    }
    assert!(!is_code && !rollout.contains("## Step 0\n"), "{rollout}");
    assert!(rollout.contains("approved by Ann"), "{rollout}");
    // the way back is a script that a shell takes, and that does nothing but ask kubectl
    let undo = flowmap.path("out/UNDO.sh");
    assert!(Command::new("sh").arg("-n").arg(&undo).status().unwrap().success());
    fs::create_dir(flowmap.path("bin")).unwrap();
    flowmap.write("bin/kubectl", "#!/bin/sh\ncat > /dev/null\n");
    fs::set_permissions(flowmap.path("bin/kubectl"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", crate::common::text(&flowmap.path("bin")), std::env::var("PATH").unwrap());
    let run = Command::new("sh").arg(&undo).env("PATH", path).current_dir(flowmap.path("out")).output().unwrap();
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}\n{}", read("UNDO.sh"));
    assert!(!flowmap.path("out/pwned").exists());
    let restored = read("UNDO.sh");
    assert!(restored.contains("touch pwned"), "the policy that was there is put back as it was: {restored}");
    for name in ["REVIEW.md", "ROLLOUT.md", "report.html", "shop/web.yaml", "shop/api.yaml"] {
        let Ok(text) = fs::read_to_string(flowmap.path(&format!("out/{name}"))) else { continue };
        assert!(!text.contains('\u{202e}'), "{name}: {text}");
        let is_drawn = name.starts_with('R') || name.starts_with("report");
        assert!(!is_drawn || !text.replace("\\<", "").contains("<script>alert"), "{name}: {text}");
    }
    assert_ne!(flowmap.run(&["simulate", "out"]).code, 2);
}
