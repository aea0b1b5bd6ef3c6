//! Which address is which page.

use std::collections::BTreeSet;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use tokio::{runtime::Handle, task::spawn_blocking, time::timeout};

use super::{
    asking::Asking,
    assets,
    decide::{self, Conflict, DecideError},
    desk::{Desk, DeskError, Shown},
    edit::{self, EditError},
    export::{self, ExportError, Plan},
    fields::{Fields, query},
    guard,
    map::{self, Drawn},
    message::{message, page, waiting},
    pages::{self, Asker, Frame},
    preview::Preview,
    view::View,
};
use crate::{
    proposal::{Entry, Found, Known, ProposalError},
    render::{Policies, PolicyKey, Sheet},
};

/// Bytes of a form: some thousand approvals at once, of some hundred bytes each.
const MAX_BODY: usize = 2 * 1_024 * 1_024;
/// How long a form may take to come.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/policy", get(policy))
        .route("/edit", get(edit))
        .route("/decide", post(decide))
        .route("/undo", post(undo))
        .route("/map", get(map_page))
        .route("/map.json", get(map_data))
        .route("/endpoint", get(endpoint))
        .route("/dependencies", get(dependencies))
        .route("/dependency", get(dependency))
        .route("/denied", get(denied))
        .route("/changes", get(changes))
        .route("/history", get(history))
        .route("/export", get(export).post(write))
        .route("/assets/{name}", get(assets::asset))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(desk.guard.clone(), guard::guard))
        .with_state(desk)
}

async fn nowhere() -> Response {
    message(StatusCode::NOT_FOUND, "No such page", "There is nothing at this address.", "", "/")
}

async fn wrong_method() -> Response {
    let (title, text) = ("Not so", "This address does not take such a request.");
    message(StatusCode::METHOD_NOT_ALLOWED, title, text, "", "/")
}

/// What a request asks for.
struct Asked {
    fields: Fields,
    asking: Asking,
    asker: Asker,
}

impl Asked {
    fn of(desk: &Desk, headers: &HeaderMap, uri: &Uri) -> Result<Self, Box<Response>> {
        let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
        let fields = fields.map_err(|_| Box::new(too_many()))?;
        let asking = Asking::read(&fields, &desk.config);
        Ok(Self { fields, asking, asker: Asker::of(desk, headers, uri) })
    }
}

fn too_many() -> Response {
    message(StatusCode::BAD_REQUEST, "Too many fields", "No page of ours has so many.", "", "/")
}

/// A page that shows a view, made off the server's thread.
async fn show<F>(desk: Desk, headers: HeaderMap, uri: Uri, make: F) -> Response
where
    F: FnOnce(&Desk, &Shown, &Asked) -> Result<Response, PageError> + Send + 'static,
{
    let asked = match Asked::of(&desk, &headers, &uri) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let shown = match desk.view(&asked.asking).await {
        Ok(shown) => shown,
        Err(error) => return nothing_shown(&desk, &asked, &error),
    };
    let work = spawn_blocking(move || make(&desk, &shown, &asked).unwrap_or_else(|error| error.page(&asked)));
    work.await.unwrap_or_else(|_| no_view(&DeskError::Lost, "/"))
}

/// Why a page cannot be shown.
enum PageError {
    NoPolicy,
    Edit(EditError),
    Proposal(ProposalError),
}

impl From<ProposalError> for PageError {
    fn from(error: ProposalError) -> Self {
        Self::Proposal(error)
    }
}

impl PageError {
    fn page(&self, asked: &Asked) -> Response {
        let home = format!("/?{}", asked.asking.query(&[]));
        match self {
            Self::NoPolicy => {
                let text = "There is no such policy in this proposal, or not any more.";
                message(StatusCode::NOT_FOUND, "No such policy", text, "", &home)
            }
            Self::Edit(error) => {
                let policy = asked.asking.query(&[("policy", asked.fields.get("policy"))]);
                let back = format!("/policy?{policy}#{}", asked.fields.get("rule"));
                message(StatusCode::UNPROCESSABLE_ENTITY, "Not possible", &error.to_string(), "", &back)
            }
            Self::Proposal(error) => no_proposal(error, &home),
        }
    }
}

/// The policy that a page is asked for.
fn asked_policy<'view>(view: &'view View, fields: &Fields) -> Result<&'view Sheet, PageError> {
    let key: PolicyKey = fields.get("policy").parse().map_err(|_| PageError::NoPolicy)?;
    view.sheet(&key).ok_or(PageError::NoPolicy)
}

/// Why nothing is shown; where the store was read, with the form that asks for something else.
fn nothing_shown(desk: &Desk, asked: &Asked, error: &DeskError) -> Response {
    let (DeskError::Proposal(why), Some(loaded)) = (error, desk.last(&asked.asking.typed())) else {
        return no_view(error, &asked.asker.here);
    };
    page(status(why), &pages::NoProposalPage::new(&loaded, &asked.asking, why))
}

fn status(error: &ProposalError) -> StatusCode {
    match error {
        ProposalError::NotInInventory { .. } | ProposalError::SeveralSites { .. } => StatusCode::NOT_FOUND,
        ProposalError::NothingSeen { .. }
        | ProposalError::NoPods
        | ProposalError::CapturedElsewhere { .. }
        | ProposalError::Empty => StatusCode::OK,
        // names in the inventory that no API server takes
        ProposalError::Read(_) | ProposalError::Policy(_) | ProposalError::Render(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn no_proposal(error: &ProposalError, link: &str) -> Response {
    let hint = error.hint().unwrap_or_default();
    message(status(error), "No proposal", &error.to_string(), &hint, link)
}

fn no_view(error: &DeskError, here: &str) -> Response {
    match error {
        DeskError::Shared(error) => no_view(error, here),
        DeskError::Reading | DeskError::Busy => waiting(here),
        DeskError::Window(_) => {
            message(StatusCode::BAD_REQUEST, "No such window", &error.to_string(), "", "/?asked=yes")
        }
        DeskError::Proposal(error) => no_proposal(error, "/?asked=yes"),
        DeskError::Lost => {
            message(StatusCode::INTERNAL_SERVER_ERROR, "Something broke", &error.to_string(), "", "/?asked=yes")
        }
    }
}

async fn overview(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Policies", "Policies");
        Ok(page(StatusCode::OK, &pages::Overview::new(frame, &shown.view, &asked.fields)))
    };
    show(desk, headers, uri, make).await
}

async fn policy(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let sheet = asked_policy(&shown.view, &asked.fields)?;
        let frame = Frame::new(desk, shown, &asked.asker, "Policies", &sheet.name);
        Ok(page(StatusCode::OK, &pages::PolicyPage::new(frame, &shown.view, sheet, None)))
    };
    show(desk, headers, uri, make).await
}

async fn edit(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let view = &shown.view;
        let sheet = asked_policy(view, &asked.fields)?;
        let choice = match edit::choice(view, sheet, &asked.fields) {
            Ok(choice) => choice,
            Err(error) if error.is_of_rule() => {
                let frame = Frame::new(desk, shown, &asked.asker, "Policies", &sheet.name);
                let refused = Some(pages::Refused::new(&asked.fields, &error));
                let policy = pages::PolicyPage::new(frame, view, sheet, refused);
                return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &policy));
            }
            Err(error) => return Err(PageError::Edit(error)),
        };
        let preview = Preview::new(view, &sheet.key, &choice.steps)?;
        let frame = Frame::new(desk, shown, &asked.asker, "Policies", "Change a rule");
        Ok(page(StatusCode::OK, &pages::EditPage::new(frame, view, sheet, &asked.fields, &choice, &preview)))
    };
    show(desk, headers, uri, make).await
}

async fn map_page(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Map", "Map");
        let whole = shown.view.map()?;
        Ok(page(StatusCode::OK, &pages::MapPage::new(frame, &shown.view, whole, &asked.fields)))
    };
    show(desk, headers, uri, make).await
}

async fn map_data(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |_: &Desk, shown: &Shown, asked: &Asked| {
        let drawn = Drawn::new(shown.view.map()?, &asked.fields);
        let text = map::json(&drawn, &shown.view).to_string();
        Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
    };
    show(desk, headers, uri, make).await
}

async fn endpoint(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let name = asked.fields.get("name");
        let frame = Frame::new(desk, shown, &asked.asker, "Map", name);
        Ok(page(StatusCode::OK, &pages::EndpointPage::new(frame, &shown.view, name)?))
    };
    show(desk, headers, uri, make).await
}

async fn dependencies(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Dependencies", "Dependencies");
        Ok(page(StatusCode::OK, &pages::Dependencies::new(frame, &shown.view, &asked.fields)?))
    };
    show(desk, headers, uri, make).await
}

async fn dependency(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Dependencies", "Dependency");
        Ok(page(StatusCode::OK, &pages::DependencyPage::new(frame, &shown.view, &asked.fields)?))
    };
    show(desk, headers, uri, make).await
}

async fn denied(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Denied", "What would be denied");
        Ok(page(StatusCode::OK, &pages::Findings::new(frame, &shown.view)))
    };
    show(desk, headers, uri, make).await
}

async fn changes(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Changes", "What changes");
        Ok(page(StatusCode::OK, &pages::Changes::new(frame, &shown.view, &asked.fields)?))
    };
    show(desk, headers, uri, make).await
}

async fn history(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Decisions", "Decisions");
        Ok(page(StatusCode::OK, &pages::History::new(frame, &shown.view, &asked.fields)))
    };
    show(desk, headers, uri, make).await
}

async fn export(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Response {
    let make = |desk: &Desk, shown: &Shown, asked: &Asked| {
        let frame = Frame::new(desk, shown, &asked.asker, "Export", "Export");
        let plan = Plan::new(&shown.view, &shown.view.known.log, shown.view.found.way_back())?;
        let folder = desk.config.out_dir.display().to_string();
        let is_written = asked.fields.get("written") == "yes";
        Ok(page(StatusCode::OK, &pages::ExportPage::new(frame, &shown.view, &plan, &folder, is_written)))
    };
    show(desk, headers, uri, make).await
}

/// A form, where it comes from a page of ours.
async fn form(desk: &Desk, request: Request) -> Result<Asked, Box<Response>> {
    let (parts, body) = request.into_parts();
    let refuse = |status, why| Box::new(message(status, "Not taken", why, "", "/"));
    let is_form = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    });
    if !is_form {
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Only forms are taken here."));
    }
    let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large."));
    }
    let bytes: Bytes = match timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large, or broke off.")),
        Err(_) => return Err(refuse(StatusCode::REQUEST_TIMEOUT, "The form took too long.")),
    };
    let fields = Fields::read(&bytes).map_err(|_| Box::new(too_many()))?;
    if !desk.guard.form.is(fields.get("csrf")) {
        let why = "The form is not from this run of flowmap. Open the page again and decide there.";
        return Err(refuse(StatusCode::FORBIDDEN, why));
    }
    let asking = Asking::read(&fields, &desk.config);
    let mut asker = Asker::of(desk, &parts.headers, &parts.uri);
    // who typed a name is asked no second time, and nobody decides under that of another
    if !fields.get("author").is_empty() {
        fields.get("author").clone_into(&mut asker.author);
    }
    Ok(Asked { fields, asking, asker })
}

async fn decide(State(desk): State<Desk>, request: Request<Body>) -> Response {
    let asked = match form(&desk, request).await {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let done = decide::decide(&desk, &asked.asking, &asked.fields).await;
    decided(desk, asked, done).await
}

async fn undo(State(desk): State<Desk>, request: Request<Body>) -> Response {
    let asked = match form(&desk, request).await {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let done = decide::undo(&desk, &asked.asking, &asked.fields).await;
    decided(desk, asked, done).await
}

/// After a decision: the policy it was about, or what stood in its way.
async fn decided(desk: Desk, asked: Asked, done: Result<Vec<PolicyKey>, DecideError>) -> Response {
    let home = format!("/?{}", asked.asking.query(&[]));
    let say = |status, why: &str| message(status, "Not decided", why, "", &home);
    match done {
        Ok(policies) => {
            let target = match &policies[..] {
                [one] => format!("/policy?{}", asked.asking.query(&[("policy", one.as_str())])),
                _ => home,
            };
            let mut response = Redirect::to(&target).into_response();
            let name = query([("a", asked.fields.get("author"))]);
            let cookie = format!(
                "{}; Path=/; HttpOnly; SameSite=Strict",
                name.replacen("a=", &format!("{}=", pages::AUTHOR), 1)
            );
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            response
        }
        Err(DecideError::Conflict(conflict)) => {
            let Conflict { policy, others, is_another } = *conflict;
            let sentence = match (others.is_empty(), is_another) {
                (false, _) => "Somebody decided on this policy since you looked at it.",
                _ => "This policy is another than the one you looked at.",
            };
            conflict_page(&desk, asked, &policy, others, sentence, true).await
        }
        Err(DecideError::Since(policy, others)) => {
            let sentence = "The same was decided again since: take that back first.";
            conflict_page(&desk, asked, &policy, others, sentence, false).await
        }
        Err(error @ (DecideError::NoAuthor | DecideError::NoReason)) => again_page(&desk, asked, &error).await,
        Err(DecideError::Desk(error)) => no_view(&error, &home),
        Err(DecideError::Proposal(error @ ProposalError::DecidedMeanwhile { .. })) => {
            say(StatusCode::CONFLICT, &error.to_string())
        }
        Err(DecideError::Proposal(error)) => no_proposal(&error, &home),
        Err(error @ (DecideError::NoPolicy | DecideError::NoEntry)) => say(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => say(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    }
}

/// The form once more, where something in it is missing.
async fn again_page(desk: &Desk, asked: Asked, error: &DecideError) -> Response {
    let shown = match desk.view(&asked.asking).await {
        Ok(shown) => shown,
        Err(error) => return no_view(&error, "/"),
    };
    let frame = Frame::new(desk, &shown, &asked.asker, "Policies", "Not decided yet");
    page(StatusCode::UNPROCESSABLE_ENTITY, &pages::AgainPage::new(frame, &asked.fields, error))
}

async fn conflict_page(
    desk: &Desk,
    asked: Asked,
    policy: &PolicyKey,
    others: Vec<Entry>,
    sentence: &'static str,
    can_repeat: bool,
) -> Response {
    let shown = match desk.view(&asked.asking).await {
        Ok(shown) => shown,
        Err(error) => return no_view(&error, "/"),
    };
    let frame = Frame::new(desk, &shown, &asked.asker, "Policies", "Somebody was faster");
    let conflict = pages::ConflictPage::new(frame, &shown.view, &asked.fields, policy, &others, sentence, can_repeat);
    page(StatusCode::CONFLICT, &conflict)
}

async fn write(State(desk): State<Desk>, request: Request<Body>) -> Response {
    let asked = match form(&desk, request).await {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let home = format!("/export?{}", asked.asking.query(&[]));
    match written(&desk, &asked.asking, asked.fields.clone()).await {
        Ok(()) => Redirect::to(&format!("/export?{}", asked.asking.query(&[("written", "yes")]))).into_response(),
        Err(ExportError::Desk(error)) => no_view(&error, &home),
        Err(ExportError::Proposal(error)) => {
            let hint = error.hint().unwrap_or_default();
            message(StatusCode::CONFLICT, "Not written", &error.to_string(), &hint, &home)
        }
        Err(error) => message(StatusCode::CONFLICT, "Not written", &error.to_string(), "", &home),
    }
}

/// Writes the folder, and keeps what it taught: an edit that was there is a decision from now on.
async fn written(desk: &Desk, asking: &Asking, fields: Fields) -> Result<(), ExportError> {
    let view = desk.view(asking).await?.view;
    let namespaces = view.loaded.known_namespaces(&view.site);
    let store = desk.store.get().await.map_err(ProposalError::from)?;
    let known = Known::read(&store, &view.site, &namespaces).await?;
    let (desk, handle) = (desk.clone(), Handle::current());
    let write = move || {
        let keep = |found: &Found, policies: &Policies, keys: &BTreeSet<PolicyKey>| {
            let (folder, now) = (desk.config.out_dir.as_path(), (desk.config.clock)());
            handle.block_on(known.keep(&store, folder, found, &policies.decisions, keys, now))
        };
        let written = export::write(&desk, &view, &known, &fields, keep);
        handle.block_on(desk.store.settle());
        written
    };
    spawn_blocking(write).await.map_err(|_| ExportError::Desk(DeskError::Lost))?
}
