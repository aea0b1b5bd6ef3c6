//! The review page with a thousand policies.

#![cfg(feature = "cli")]

mod common;

use common::review::{Answer, Review, large};

#[test]
fn a_thousand_policies_are_approved_together_and_their_log_has_pages() {
    let flowmap = large(1_000, 1_500);
    let review = Review::start_unscoped(&flowmap, &["-n", "shop", "--author", "Ann"]);
    let page = Review::until(|| review.get("/"), |page| page.status == 200);
    assert!(page.body.contains("Tick all shown") && !page.body.contains(" checked>"), "it is for the person to tick");
    let tick = page.links("/?").into_iter().find(|link| link.contains("tick=all")).expect("a link");
    let ticked = review.get(tick.split('#').next().unwrap_or_default());
    let ticks = |page: &Answer| page.body.matches("aria-label=\"approve ").count();
    assert!(ticks(&ticked) >= 1_000, "{}", ticks(&ticked));
    let boxes = ticked.body.split("aria-label=\"approve ").skip(1);
    assert!(boxes.map(|rest| rest.split('>').next().unwrap_or_default()).all(|tag| tag.ends_with(" checked")));
    review.post("/decide", &ticked.form("/decide")).lands("/");
    let page = review.get("/");
    assert_eq!(ticks(&page), 0, "{}", page.body.len());
    // two hundred at a time
    let history = review.get("/history");
    assert_eq!(history.body.matches(">approved<").count(), 200);
    let mut seen = 0;
    let mut next = Some("/history".to_owned());
    while let Some(link) = next {
        let page = review.get(&link);
        seen += page.body.matches(">approved<").count();
        let older = page.body.split("\">Older</a>").next().filter(|head| head.len() < page.body.len());
        next = older.and_then(|_| page.links("/history?").pop());
    }
    assert_eq!(seen, ticks(&ticked));
}
