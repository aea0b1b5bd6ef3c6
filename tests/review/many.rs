//! The review page with a thousand policies.

use crate::common::review::{Answer, Review, large};

#[test]
fn a_thousand_policies_are_approved_together_and_their_log_has_pages() {
    let flowmap = large(1_000, 1_500);
    let review = Review::start_unscoped(&flowmap, &["-n", "shop", "--author", "Ann"]);
    let page = Review::until(|| review.get("/"), |page| page.status == 200);
    let boxes = |page: &Answer| -> Vec<bool> {
        let boxes = page.body.split("aria-label=\"approve ").skip(1);
        boxes.map(|rest| rest.split('>').next().unwrap_or_default().ends_with(" checked")).collect()
    };
    assert!(!boxes(&page).contains(&true), "it is for the person to tick");
    let tick = page.links("/?").into_iter().find(|link| link.contains("tick=all")).expect("a link");
    let ticked = review.get(tick.split('#').next().unwrap_or_default());
    let ticks = boxes(&ticked);
    assert!(ticks.len() >= 1_000 && !ticks.contains(&false), "{}", ticks.len());
    review.post("/decide", &ticked.form("/decide")).lands("/");
    let page = review.get("/");
    assert!(boxes(&page).is_empty(), "{}", boxes(&page).len());
    // the first steps are held against the past one by one, and of the others it is said that they are not
    let export = review.get("/export");
    let judged = export.body.matches("The past up to here").count();
    assert_eq!(judged, 500);
    assert!(export.body.contains("steps were not held against the past one by one"), "{}", export.body);
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
    assert_eq!(seen, ticks.len());
}
