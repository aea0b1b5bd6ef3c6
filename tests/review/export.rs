//! What the review page exports: the policies that are approved, their order, and the way back.

use std::fs;

use crate::common::{Flowmap, files, proposal::SUGGEST, review::Review, sample, text};

#[test]
fn what_is_approved_is_exported_with_its_order_and_the_way_back() {
    let flowmap = Flowmap::with_sample();
    let mut cluster: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(sample("cluster.json")).unwrap()).unwrap();
    let deployed = serde_json::json!([
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "db", "namespace": "production", "uid": "1", "resourceVersion": "7", "annotations": {"owner": "dba"}},
         "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "other", "namespace": "production"},
         "spec": {"podSelector": {"matchLabels": {"app": "cache"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}},
    ]);
    cluster["items"].as_array_mut().unwrap().extend(deployed.as_array().unwrap().clone());
    flowmap.write("cluster.json", cluster.to_string());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve_all();
    let page = review.get("/export");
    review.post("/export", &page.form("/export")).lands("/export");
    let rollout = flowmap.read("out/ROLLOUT.md");
    let place = |word: &str| rollout.find(word).unwrap_or_else(|| panic!("no `{word}` in {rollout}"));
    // what closes the namespace is last, and what goes together stands in one step
    assert!(place("- production/default-deny") > place("- production/api"), "{rollout}");
    assert!(rollout.contains("kubectl apply -f production/allow-dns.yaml -f production/api.yaml"), "{rollout}");
    assert!(rollout.contains("approved by Ann") && rollout.contains("0 denied"), "{rollout}");
    let before = "The past before the first step, with what is deployed alone: 0 denied, 0 uncertain of";
    assert!(
        place(before) < place("## Step 1")
            && page.body.contains("The past before, with what is deployed alone: 0 denied")
    );
    assert!(page.body.contains(
        "mean something else and are replaced; UNDO.sh puts back what was there before the first export: production/db."
    ));
    // the model of a cluster: names to policies
    let objects = |text: &str| -> Vec<serde_json::Value> { flowmap::yaml::read_all(text).unwrap() };
    let name = |object: &serde_json::Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    let mut there: std::collections::BTreeMap<String, serde_json::Value> =
        deployed.as_array().unwrap().iter().map(|object| (name(object), object.clone())).collect();
    let before = there.clone();
    for (path, bytes) in files(&flowmap.path("out/production")) {
        let is_policies = !path.ends_with('/') && path != "kustomization.yaml";
        for object in objects(std::str::from_utf8(&bytes).unwrap()).into_iter().filter(|_| is_policies) {
            there.insert(name(&object), object);
        }
    }
    assert!(there.len() > before.len());
    let undo = flowmap.read("out/UNDO.sh");
    // what was there is back before anything goes
    let (restores, deletes) = undo.split_once("<<'UNDO'\n").unwrap().1.split_once("\nUNDO\n").unwrap();
    for line in deletes.lines().filter(|line| line.starts_with("  kubectl delete")) {
        let line = line.strip_suffix(" || failed=1").unwrap();
        assert!(line.contains("-n 'production' 'default-deny'"), "{line}");
        for gone in line.split('\'').skip(3).step_by(2) {
            assert!(there.remove(gone).is_some(), "{gone}");
        }
    }
    for object in objects(restores) {
        assert!(object["metadata"].get("uid").is_none() && object["metadata"]["annotations"]["owner"] == "dba");
        there.insert(name(&object), object);
    }
    let write = |file: &str, all: &std::collections::BTreeMap<String, serde_json::Value>| {
        let items: Vec<_> = all.values().collect();
        flowmap.write(file, serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    };
    write("before.json", &before);
    write("after.json", &there);
    let diff = flowmap.run(&["diff", "before.json", "after.json", "--inventory", "cluster.json"]);
    assert_eq!(diff.code, 0, "{}{}", diff.stdout, diff.stderr);
    // the folder is one that simulate and suggest take, and the way back outlasts the next proposal
    assert_ne!(flowmap.run(&["simulate", "out"]).code, 2);
    flowmap.run(&SUGGEST);
    assert_eq!(flowmap.read("out/UNDO.sh"), undo);
}

#[test]
fn a_part_that_is_approved_is_exported_alone() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve("production/db.yaml#db").lands("/policy");
    let page = review.get("/export");
    review.post("/export", &page.form("/export")).lands("/export");
    let names: Vec<String> = files(&flowmap.path("out")).into_keys().filter(|name| !name.ends_with('/')).collect();
    assert_eq!(
        names,
        ["ROLLOUT.md", "UNDO.sh", "evidence.json", "production/db.yaml", "production/kustomization.yaml"]
    );
    assert!(flowmap.read("out/production/kustomization.yaml").contains("- db.yaml"));
    assert!(!flowmap.read("out/production/kustomization.yaml").contains("api.yaml"));
    // what is told beside them is about them alone
    let evidence: serde_json::Value = serde_json::from_str(&flowmap.read("out/evidence.json")).unwrap();
    let policies = evidence["namespaces"]["production"]["policies"].as_object().unwrap();
    assert_eq!(policies.keys().collect::<Vec<_>>(), ["db"]);
    assert_eq!(evidence["namespaces"]["production"]["dns"], serde_json::Value::Null);
    let told = flowmap.run(&["simulate", "out", "-n", "production", "-o", "json"]).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    for figure in ["connections", "allowed", "denied", "uncertain"] {
        assert_eq!(evidence["replay"][figure], told[figure], "{figure}");
    }
    // the whole proposal into the same folder is as if nothing had been there
    flowmap.ok(&SUGGEST);
    let elsewhere = Flowmap::with_sample();
    elsewhere.ok(&SUGGEST);
    let own = |flowmap: &Flowmap| {
        let mut own = files(&flowmap.path("out/production"));
        own.retain(|name, _| !name.ends_with('/'));
        own
    };
    assert!(own(&flowmap) == own(&elsewhere));
}

/// The steps of a rollout as it is written: the verdict beside each, and the files that its command applies.
fn steps(rollout: &str) -> Vec<(String, Vec<String>)> {
    let step = |text: &str| {
        let verdict = text.lines().find_map(|line| line.strip_prefix("The past with this step and those before: "));
        let command = text.lines().find_map(|line| line.strip_prefix("kubectl apply ")).expect("a command");
        let files = command.split("-f ").skip(1).map(|file| file.trim().trim_matches('\'').to_owned());
        (verdict.expect("a verdict").to_owned(), files.collect())
    };
    rollout.split("\n## Step ").skip(1).map(step).collect()
}

/// Every `kubectl apply -f FILE` of the rollout, done one after the other, does to the past what is printed beside it.
#[test]
fn every_step_does_what_its_verdict_says_when_its_commands_are_typed() {
    for only in [None, Some(["debug", "cache"])] {
        let flowmap = Flowmap::with_sample();
        let review = Review::start(&flowmap, &["--out-dir", "out"]);
        match only {
            None => review.approve_all(),
            Some(names) => names.iter().for_each(|name| {
                review.approve(&format!("production/{name}.yaml#{name}")).lands("/policy");
                let dns = format!("production/allow-dns.yaml#allow-dns-{name}");
                if review.policy(&dns).status == 200 {
                    review.approve(&dns).lands("/policy");
                }
            }),
        }
        review.post("/export", &review.get("/export").form("/export")).lands("/export");
        let steps = steps(&flowmap.read("out/ROLLOUT.md"));
        assert!(steps.len() > 1, "{steps:?}");
        let mut applied: Vec<String> = Vec::new();
        for (verdict, files) in &steps {
            assert!(files.iter().all(|file| !applied.contains(&format!("out/{file}"))), "{files:?} twice");
            applied.extend(files.iter().map(|file| format!("out/{file}")));
            let args =
                ["simulate", "-n", "production", "-o", "json"].into_iter().chain(applied.iter().map(String::as_str));
            let told: serde_json::Value = serde_json::from_str(&flowmap.run(&args.collect::<Vec<_>>()).stdout).unwrap();
            let (denied, uncertain, all) = (&told["denied"], &told["uncertain"], &told["connections"]);
            assert_eq!(*verdict, format!("{denied} denied, {uncertain} uncertain of {all}."), "{applied:?}");
        }
    }
}

/// What `UNDO.sh` asks of the cluster, with a `kubectl` that fails for the deletions of some namespaces.
fn undo(flowmap: &Flowmap, failing: &str) -> (i32, String) {
    use std::os::unix::fs::PermissionsExt;
    let log = text(&flowmap.path("kubectl.log"));
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {log}\n[ \"$1\" != apply ] || cat >> {log}\ncase \"$*\" in *\"-n {failing} \"*) exit 1;; esac\n"
    );
    flowmap.write("bin/kubectl", script);
    fs::set_permissions(flowmap.path("bin/kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
    let _ = fs::remove_file(&log);
    let path = format!("{}:{}", text(&flowmap.path("bin")), std::env::var("PATH").unwrap());
    let mut command = std::process::Command::new("sh");
    let code = command.arg(flowmap.path("out/UNDO.sh")).env("PATH", path).status().unwrap().code().unwrap();
    (code, fs::read_to_string(log).unwrap_or_default())
}

fn export(review: &Review) {
    review.post("/export", &review.get("/export").form("/export")).lands("/export");
}

/// Approves and exports all that is proposed one way.
fn export_all(review: &Review, direction: &str) {
    let asked = format!("asked=yes&ns=production&direction={direction}");
    let form = review.get(&format!("/?{asked}")).form("/decide");
    if form.iter().any(|(name, _)| name == "on") {
        review.post("/decide", &form).lands("/");
    }
    review.post("/export", &review.get(&format!("/export?{asked}")).form("/export")).lands("/export");
}

/// The cluster of the sample with what was exported applied to it.
fn apply(flowmap: &Flowmap) {
    let mut cluster: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(sample("cluster.json")).unwrap()).unwrap();
    for (path, bytes) in files(&flowmap.path("out/production")) {
        if !path.ends_with('/') && path != "kustomization.yaml" {
            let objects = flowmap::yaml::read_all(std::str::from_utf8(&bytes).unwrap()).unwrap();
            cluster["items"].as_array_mut().unwrap().extend(objects);
        }
    }
    flowmap.write("applied.json", cluster.to_string());
    flowmap.ok(&["inventory", "import", "applied.json"]);
}

#[test]
fn the_way_back_leads_to_before_the_first_export() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve("production/db.yaml#db").lands("/policy");
    export(&review);
    apply(&flowmap);
    Review::until(
        || review.get("/export"),
        |page| page.body.contains("Deployed already, and the same: production/db."),
    );
    assert!(!review.get("/export").body.contains("are replaced"));
    review.approve("production/cache.yaml#cache").lands("/policy");
    // db is taken back, and was applied all the same
    review.post("/undo", &Review::undo_form_of(&review.log(), "db.yaml#db")).lands("/policy");
    export(&review);
    assert!(!flowmap.path("out/production/db.yaml").exists());
    let (code, asked) = undo(&flowmap, "nowhere");
    assert_eq!(code, 0);
    assert_eq!(asked.trim(), "delete networkpolicy --ignore-not-found -n production cache db", "{asked}");
    // a proposal in between loses nothing, and after the way back the next export begins anew
    flowmap.run(&SUGGEST);
    let (_, again) = undo(&flowmap, "nowhere");
    assert_eq!(again, asked);
    fs::remove_file(flowmap.path("out/UNDO.sh")).unwrap();
    Review::until(|| review.get("/export"), |page| page.status == 200);
    export(&review);
    assert!(!flowmap.read("out/UNDO.sh").contains("'db'"), "{}", flowmap.read("out/UNDO.sh"));
}

#[test]
fn one_namespace_that_cannot_be_put_back_does_not_stop_the_others() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start_unscoped(
        &flowmap,
        &["--author", "Ann", "--out-dir", "out", "-n", "monitoring", "-n", "production"],
    );
    review.approve_all();
    export(&review);
    let (code, asked) = undo(&flowmap, "monitoring");
    assert_eq!(code, 1);
    assert!(asked.contains("-n monitoring default-deny") && asked.contains("-n production default-deny"), "{asked}");
}

#[test]
fn what_is_no_longer_approved_is_not_exported_on_an_older_page() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve("production/db.yaml#db").lands("/policy");
    review.approve("production/cache.yaml#cache").lands("/policy");
    let form = review.get("/export").form("/export");
    review.post("/undo", &Review::undo_form_of(&review.log(), "db.yaml#db")).lands("/policy");
    let answer = review.post("/export", &form);
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.body.contains("changed since you looked at it") && !flowmap.path("out").exists());
}

/// The last step of a rollout, where something is to go.
fn last_step(rollout: &str) -> Option<&str> {
    rollout.split("\n## ").find(|part| part.starts_with("Step ") && part.contains("what is to go"))
}

#[test]
fn what_was_exported_and_is_rejected_since_goes_in_the_last_step() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve_all();
    export(&review);
    assert_eq!(last_step(&flowmap.read("out/ROLLOUT.md")), None);
    let mut form = review.policy("production/debug.yaml#debug").form("/decide");
    form.extend([("op".into(), "reject-policy".into()), ("reason".into(), "debug pods are going".into())]);
    review.post("/decide", &form).lands("/policy");
    let page = review.get("/export");
    assert!(
        page.body.contains("To go, with commands of their own") && page.body.contains("production/debug (rejected)"),
        "{}",
        page.body
    );
    export(&review);
    let rollout = flowmap.read("out/ROLLOUT.md");
    let last = last_step(&rollout).unwrap_or_else(|| panic!("no last step: {rollout}"));
    assert!(last.contains("- production/debug, rejected\n"), "{last}");
    assert!(last.contains("\nkubectl delete networkpolicy --ignore-not-found -n production debug\n"), "{last}");
    assert!(rollout.find(": what is to go") > rollout.find("- production/default-deny"), "{rollout}");
    // who decided it, when and why, is told to whoever reads the files alone
    let review_text = flowmap.read("out/REVIEW.md");
    let said = "Ann, production/debug.yaml#debug: the whole policy stays away. Reason: debug pods are going";
    assert!(review_text.contains(said), "{review_text}");
    assert!(review_text.contains("Ann, production/db.yaml#db: approved as it is."), "{review_text}");
    let report = flowmap.read("out/report.html");
    assert!(report.contains("debug pods are going") && report.contains("approved as it is"), "{report}");
    // the way back deletes what is not there any more without a word
    let (code, asked) = undo(&flowmap, "nowhere");
    assert!(code == 0 && asked.contains(" debug"), "{asked}");
}

#[test]
fn documents_of_namespaces_that_are_not_asked_for_are_named_before_they_go() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "monitoring", "-n", "production", "--out-dir", "out"]);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    let page = review.get("/export?asked=yes&ns=production").body;
    assert!(page.contains("out also holds documents of monitoring, which was not asked for here: they go."), "{page}");
    let page = review.get("/export?asked=yes&ns=production&ns=monitoring").body;
    assert!(!page.contains("also holds documents"), "{page}");
}

#[test]
fn policies_of_an_earlier_proposal_go_when_all_that_takes_their_place_is_approved() {
    let flowmap = Flowmap::with_sample();
    let own = serde_json::json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "backend-tier", "namespace": "production", "labels": {"app.kubernetes.io/managed-by": "flowmap"}},
        "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{}]}});
    let mut cluster: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(sample("cluster.json")).unwrap()).unwrap();
    cluster["items"].as_array_mut().unwrap().push(own);
    flowmap.write("cluster.json", cluster.to_string());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve("production/db.yaml#db").lands("/policy");
    export(&review);
    let rollout = flowmap.read("out/ROLLOUT.md");
    assert_eq!(last_step(&rollout), None, "{rollout}");
    assert!(
        rollout.contains("staying until all of their namespace is approved\n\n- production/backend-tier\n"),
        "{rollout}"
    );
    let page = review.get("/").body;
    assert!(page.contains("<span class=\"chip bad\">Stop</span> Kept open by what is deployed"), "{page}");
    let page = review.get("/export").body;
    assert!(
        page.contains("<strong>Stop.</strong> Kept open by what is deployed: by production/backend-tier"),
        "{page}"
    );
    let kept = "- production/backend-tier: ingress of production/db stays open, for one from ";
    assert!(rollout.contains(kept), "{rollout}");
    review.approve_all();
    export(&review);
    let review_text = flowmap.read("out/REVIEW.md");
    assert!(
        review_text.contains("**Kept open by what is deployed:** by production/backend-tier: ingress of production/db"),
        "{review_text}"
    );
    assert!(flowmap.read("out/report.html").contains("Kept open by what is deployed"));
    let rollout = flowmap.read("out/ROLLOUT.md");
    assert!(!rollout.contains(kept), "{rollout}");
    let last = last_step(&rollout).unwrap_or_else(|| panic!("no last step: {rollout}"));
    assert!(last.contains("kubectl delete networkpolicy --ignore-not-found -n production backend-tier\n"), "{last}");
    assert!(last.contains("The past with this step and those before: 0 denied"), "{last}");
    // also where it is exported twice before it is applied
    export(&review);
    let rollout = flowmap.read("out/ROLLOUT.md");
    let delete = "kubectl delete networkpolicy --ignore-not-found -n production backend-tier\n";
    assert_eq!(rollout.matches(delete).count(), 2, "as a step, and among all of it at once: {rollout}");
    // it is put back by the way back
    let (code, asked) = undo(&flowmap, "nowhere");
    assert!(code == 0 && asked.contains("name: backend-tier"), "{asked}");
}

#[test]
fn everything_that_was_exported_may_be_rejected_again() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve("production/db.yaml#db").lands("/policy");
    export(&review);
    let mut form = review.policy("production/db.yaml#db").form("/decide");
    form.extend([("op".into(), "reject-policy".into()), ("reason".into(), "not now".into())]);
    review.post("/decide", &form).lands("/policy");
    export(&review);
    assert!(!flowmap.path("out/production/db.yaml").exists());
    let rollout = flowmap.read("out/ROLLOUT.md");
    let last = last_step(&rollout).unwrap_or_else(|| panic!("no last step: {rollout}"));
    assert!(last.contains("-n production db\n"), "{last}");
}

/// Connections that a text says are denied and not certain: `2 denied, 0 uncertain of 9.`
fn lost(text: &str) -> u64 {
    let numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter(|word| !word.is_empty());
    numbers.take(2).map(|number| number.parse::<u64>().unwrap()).sum()
}

#[test]
fn no_step_is_worse_than_before_the_first_and_after_the_last() {
    for (first, then) in [("ingress", "egress"), ("both", "ingress"), ("egress", "both")] {
        let flowmap = Flowmap::with_sample();
        let mut review = Review::start(&flowmap, &["--out-dir", "out"]);
        export_all(&review, first);
        review.end("TERM");
        apply(&flowmap);
        let review = Review::start(&flowmap, &["--out-dir", "out"]);
        export_all(&review, then);
        let rollout = flowmap.read("out/ROLLOUT.md");
        let told: Vec<u64> = rollout
            .lines()
            .filter(|line| line.starts_with("The past "))
            .filter_map(|line| Some(lost(line.split_once(": ").or(line.split_once("alone: "))?.1)))
            .collect();
        let (before, after) = (told[0], *told.last().unwrap());
        assert!(
            told.len() > 1 && told.iter().all(|lost| *lost <= before.max(after)),
            "{first} {then}: {told:?} {rollout}"
        );
        // what was closed and is open again is told wherever somebody looks before
        let is_less = then != "both";
        let words = if first == "ingress" { "ingress of production/api" } else { "egress of production/cache" };
        let page = review.get(&format!("/export?asked=yes&ns=production&direction={then}")).body;
        for text in [&flowmap.read("out/REVIEW.md"), &flowmap.read("out/report.html"), &page] {
            assert_eq!(text.contains("Closed today, and open with this"), is_less, "{first} {then}: {text}");
            assert!(!is_less || text.contains(words), "{first} {then}: {text}");
        }
        assert_eq!(rollout.contains(&format!("- {words}")), is_less, "{rollout}");
    }
}

#[test]
fn without_a_kustomization_it_is_applied_by_file() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    assert!(flowmap.read("out/REVIEW.md").contains("\nkubectl apply -k production\n"));
    std::fs::remove_file(flowmap.path("out/production/kustomization.yaml")).unwrap();
    flowmap.ok(&SUGGEST);
    for document in ["out/REVIEW.md", "out/report.html"] {
        let text = flowmap.read(document);
        assert!(text.contains("\nkubectl apply -f production/") && !text.contains("kubectl apply -k"), "{text}");
    }
}

#[test]
fn what_is_applied_is_called_as_it_was_edited() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let edit = |name: &str, from: &str, to: &str| {
        let text = flowmap.read(name);
        assert!(text.contains(from), "{text}");
        flowmap.write(name, text.replacen(from, to, 1));
    };
    edit("out/production/cache.yaml", "namespace: production", "namespace: monitoring");
    edit("out/production/kustomization.yaml", "kind: Kustomization\n", "kind: Kustomization\nnamePrefix: team-\n");
    assert_eq!(flowmap.run(&SUGGEST).code, 1, "a policy in another namespace lets nobody through");
    let review = flowmap.read("out/REVIEW.md");
    assert!(review.contains("A kustomization that was edited:** production/kustomization.yaml does more"), "{review}");
    assert!(
        review.contains("kubectl apply -f production/") && !review.contains("kubectl apply -k production"),
        "{review}"
    );
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve_all();
    let page = review.get("/export").body;
    assert!(page.contains("production/kustomization.yaml was changed by hand and does more than list files"), "{page}");
    export(&review);
    let rollout = flowmap.read("out/ROLLOUT.md");
    assert!(
        rollout.contains("- monitoring/cache, approved by") && !rollout.contains("- production/cache"),
        "{rollout}"
    );
    assert!(!rollout.contains("kubectl apply -k production"), "{rollout}");
    assert!(rollout.contains("production/kustomization.yaml was changed by hand"), "{rollout}");
    let (_, asked) = undo(&flowmap, "nowhere");
    assert!(asked.contains("-n monitoring cache") && !asked.contains(" cache db"), "{asked}");
}

#[test]
fn an_edited_file_that_an_export_takes_away_is_named_before() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve_all();
    crate::common::proposal::edit(&flowmap, "production/db.yaml", "port: 5432", "port: 5433");
    let page = review.get("/export");
    let words = "Edited in out, and not approved as it is now: production/db.yaml. What is not approved is taken out";
    assert!(page.body.contains(words), "{}", page.body);
    review.post("/export", &page.form("/export")).lands("/export");
    assert!(!flowmap.path("out/production/db.yaml").exists());
    // what the edit decided is in the proposal
    let db = review.policy("production/db.yaml#db").body;
    assert!(db.contains("TCP/5433"), "{db}");
    review.approve("production/db.yaml#db").lands("/policy");
    let page = review.get("/export");
    assert!(!page.body.contains("Edited in out"), "{}", page.body);
    review.post("/export", &page.form("/export")).lands("/export");
    assert!(flowmap.read("out/production/db.yaml").contains("port: 5433"));
}

#[test]
fn parts_of_scans_are_counted_as_the_review_counts_them() {
    let flowmap = Flowmap::with_sample();
    flowmap.run(&SUGGEST);
    let review = flowmap.read("out/REVIEW.md");
    let rows = review.lines().filter(|line| line.starts_with("| ") && line.contains(" scan"));
    let connections: u64 = rows.filter_map(|row| row.split(" | ").nth(3)?.parse::<u64>().ok()).sum();
    let page = Review::start(&flowmap, &[]).get("/denied").body;
    let words = format!(" {connections} connections more, of ");
    assert!(connections > 0 && page.contains(&words), "{words}: {page}");
}
