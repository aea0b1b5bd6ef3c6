//! The review page: what a change of a rule comes to, and that page and policies say the same of it.

use crate::common::{
    Flowmap,
    review::{API, Answer, Review},
};

const STREAM: [&str; 5] = ["suggest", "-n", "production", "--out-dir", "-"];

/// Takes the decision of a page, looks whether page and policies agree, takes it back and looks whether all is as before.
#[track_caller]
fn there_and_back(flowmap: &Flowmap, review: &Review, preview: &Answer, reason: &str) {
    let before = flowmap.run(&STREAM).stdout;
    review.decide(preview, reason).lands("/policy");
    assert_ne!(flowmap.run(&STREAM).stdout, before);
    review.undo(reason).lands("/policy");
    assert_eq!(flowmap.run(&STREAM).stdout, before);
}

#[test]
fn what_is_taken_out_and_put_in_at_once_stays_as_it_is() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    let whole = "production/namespace.yaml#namespace";
    let page = review.get("/?asked=yes&ns=production&granularity=namespace").body;
    assert!(page.contains("production%2Fnamespace.yaml%23namespace"), "{page}");
    // all pods of the namespace already: wider it cannot be
    let at = "&asked=yes&ns=production&granularity=namespace";
    let wider = review.edit_at(whole, at, "ingress", "namespace", "widen-namespace", &[]);
    assert_eq!(wider.status, 422, "{}", wider.body);
    assert!(wider.body.contains("nothing to change"), "{}", wider.body);
}

#[test]
fn a_permission_is_removed_or_added_and_never_both() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    let all = "ingress from all pods on TCP/8080";
    let wide = review.edit(API, "ingress", "web", "widen-namespace", &[]);
    review.decide(&wide, "wide").lands("/policy");
    // taken out again
    let narrow = review.edit(API, "ingress", "all pods", "remove", &[]);
    review.decide(&narrow, "narrow").lands("/policy");
    assert!(!flowmap.run(&STREAM).stdout.contains(&format!("added: {all}")));
    // what was rejected and is chosen again is chosen, and the rejection is gone for good
    let remove = review.edit(API, "egress", "cache", "remove", &[]);
    review.decide(&remove, "no cache").lands("/policy");
    let back = review.edit(API, "egress", "cache", "restore", &[]);
    there_and_back(&flowmap, &review, &back, "cache after all");
}

#[test]
fn a_prefix_that_is_proposed_already_changes_nothing() {
    let flowmap = crate::common::review::outside();
    let review = Review::start_unscoped(&flowmap, &["--author", "Ann"]);
    let web = "shop/web.yaml#web";
    let at = "&asked=yes&ns=shop&isolate=yes";
    let same = review.edit_at(web, at, "egress", "203.0.113.7", "prefix", &[("cidr", "203.0.113.7/32")]);
    assert_eq!(same.status, 422, "{}", same.body);
    // wider: the addresses go, and what is there already is not put in again
    let wider = review.edit_at(web, at, "egress", "203.0.113.7", "prefix", &[("cidr", "203.0.113.0/24")]);
    review.decide(&wider, "their range").lands("/policy");
    let yaml = flowmap.run(&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "-"]).stdout;
    assert!(yaml.contains("cidr: 203.0.113.0/24") && !yaml.contains("cidr: 203.0.113.7/32"), "{yaml}");
    let back = review.edit_at(web, at, "egress", "203.0.113.0/24", "prefix", &[("cidr", "203.0.113.0/24")]);
    assert_eq!(back.status, 422, "{}", back.body);
}

#[test]
fn what_was_mistyped_comes_back_beside_its_rule() {
    let flowmap = crate::common::review::outside();
    let review = Review::start_unscoped(&flowmap, &["--author", "Ann"]);
    // what was seen of who is left open is no list of who may
    let row = review.get("/?asked=yes&ns=shop").body;
    assert!(row.contains("left open: not watched") && row.contains(">all<"), "{row}");
    let ask = |cidr: &str| {
        let at = "&asked=yes&ns=shop&isolate=yes";
        review.edit_at("shop/web.yaml#web", at, "egress", "203.0.113.7", "prefix", &[("cidr", cidr)])
    };
    let mistyped = ask("203.0.113.0/24\"><script>");
    assert_eq!(mistyped.status, 422);
    let body = &mistyped.body;
    assert_eq!(body.matches("<details class=\"edit\" open>").count(), 1, "{body}");
    let value = "value=\"203.0.113.0/24&#34;&#62;&#60;script&#62;\" aria-invalid=\"true\"";
    assert_eq!(body.matches(value).count(), 1, "{body}");
    assert!(body.contains("role=\"alert\"") && body.contains("is no prefix such as 203.0.113.0/24"), "{body}");
    // beside the addresses: the same page, which mends it
    assert!(ask("198.51.100.0/24").body.contains("does not hold 203.0.113.7"));
    assert_eq!(ask("203.0.113.0/24").status, 200);
    // a rule that is not there (any more) has no place on the page
    let gone = review.get("/edit?asked=yes&ns=shop&isolate=yes&policy=shop%2Fweb.yaml%23web&rule=0&op=prefix&cidr=x");
    assert!(gone.status == 422 && gone.body.contains("no such rule"), "{}", gone.body);
}

/// What reads as YAML and is none of policies costs no more than what does not read: nothing of the folder counts, and all
/// pages say so.
#[test]
fn an_edit_that_makes_no_policy_is_told_on_pages_that_go_on() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "production", "--out-dir", "out"]);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve_all();
    let path = "out/production/db.yaml";
    let good = flowmap.read(path);
    let edits = [
        (good.replace("port: 5432", "port: \"a b c\""), "`a b c` must be a port number"),
        (flowmap.read("out/production/web.yaml"), "web is also in production/web.yaml"),
        ("root:x:0:0\n".to_owned(), "is no object of the Kubernetes API"),
        ("this: [is\n not: yaml".to_owned(), "line 2"),
    ];
    for (text, why) in edits {
        flowmap.write(path, &text);
        let to_do = "To do: mend it, or delete it";
        let all = ["What was edited in the folder is not shown here: out/production/db.yaml: ", why, to_do];
        for page in ["/", "/map", "/dependencies", "/denied", "/changes", "/history", "/export"] {
            let page = review.get(page);
            let said = page.body.replace("&#34;", "\"");
            assert!(page.status == 200 && all.iter().all(|words| said.contains(words)), "{why}: {}", page.body);
        }
        let page = review.get("/export");
        let refused = review.post("/export", &page.form("/export"));
        assert!(refused.status == 409 && refused.body.contains("out/production/db.yaml: "), "{}", refused.body);
        assert_eq!(flowmap.read(path), text, "what was edited stays");
        flowmap.run(&["suggest", "-n", "production", "--out-dir", "out"]).is_an_error(&[
            "flowmap: out/production/db.yaml: what was changed there cannot be read: ",
            why,
            "hint: mend it",
        ]);
    }
    flowmap.write(path, &good);
    assert!(!review.get("/").body.contains("is not shown here"));
}

/// Whatever steps come after one another: the later one counts, and the other is gone.
#[test]
fn of_removed_and_added_the_later_counts() {
    use flowmap::{
        policy::PolicyType,
        render::{Decisions, Permission, Step},
    };
    let one = Permission::new(PolicyType::Egress, serde_json::json!({"podSelector": {}}), serde_json::Value::Null);
    let (api, reject, add) = (&API.parse().unwrap(), Step::Reject(one.clone()), Step::Add(one));
    for (first, last) in [(&reject, &add), (&add, &reject)] {
        let decisions = Decisions::default().with(api, &[first.clone(), last.clone()]);
        assert!(decisions.has(api, last) && !decisions.has(api, first), "{decisions:?}");
    }
}
