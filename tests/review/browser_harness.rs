//! The harness of the browser tests finds what it is there to find.

use crate::common::{Flowmap, browser};

const PAGE: &str = "<!doctype html><html lang=en><title>Page</title><main><h1>Page</h1>BODY</main></html>";

fn visit(body: &str) -> Option<crate::common::Output> {
    if !browser::is_there() {
        return None;
    }
    let folder = Flowmap::new();
    folder.write("page.html", PAGE.replace("BODY", body));
    Some(browser::attempt("self.mjs", &[&browser::address(&folder.path("page.html"))]))
}

#[test]
fn a_page_that_keeps_to_itself_passes() {
    let Some(output) = visit("<p>text") else { return };
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains(r#""title":"Page","hindrances":[]"#), "{}", output.stdout);
}

#[test]
fn a_request_that_leaves_the_page_fails() {
    for body in [
        "<img src=http://elsewhere.example/a.png alt=a>",
        "<img src=other.png alt=a>",
        "<script src=//x.example/a.js></script>",
    ] {
        let Some(output) = visit(body) else { return };
        assert!(output.code != 0 && output.stderr.contains("asked for "), "{output:?}");
    }
}

#[test]
fn what_goes_wrong_on_a_page_fails() {
    let cases = [
        ("<script>console.error('ouch')</script>", "console: ouch"),
        ("<script>setTimeout(() => { throw new Error('ouch') })</script>", "uncaught: ouch"),
        (
            "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\"><script>1</script>",
            "Content Security Policy",
        ),
    ];
    for (body, word) in cases {
        let Some(output) = visit(body) else { return };
        assert!(output.code != 0 && output.stderr.contains(word), "{body}: {output:?}");
    }
}

#[test]
fn what_hinders_people_is_told() {
    let Some(output) = visit("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>") else { return };
    assert!(output.stdout.contains(r#""rule":"image-alt","impact":"critical""#), "{output:?}");
}
