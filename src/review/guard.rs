//! Who may ask: the browser that was given the secret, on a page of ours, under a name of ours.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use subtle::ConstantTimeEq;

use super::{
    fields::{Fields, cookie},
    message::refused,
    seats::Seat,
};

/// Bytes of a secret: nobody guesses so many.
const SECRET_BYTES: usize = 32;

/// A secret of this server's run, in hexadecimal digits.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one, from the system's source of randomness.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        Ok(Self(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()))
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether a text is it; the time that takes tells nothing.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What the server lets in by.
#[derive(Debug)]
pub(super) struct Guard {
    /// In the address that is printed.
    pub token: Secret,
    /// In the cookie that takes its place.
    session: Secret,
    /// In every form.
    pub form: Secret,
    cookie: String,
    hosts: Vec<String>,
}

/// What a page may do: nothing but show what this server gives it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

impl Guard {
    pub fn new(token: Secret, listening: SocketAddr, names: &[String]) -> Result<Self, getrandom::Error> {
        let port = listening.port();
        let mut hosts = vec![listening.to_string()];
        if listening.ip().is_loopback() {
            hosts.extend([format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
        }
        for name in names {
            hosts.extend([name.to_ascii_lowercase(), format!("{}:{port}", name.to_ascii_lowercase())]);
        }
        // cookies are shared by all ports of a host: each server has its own
        let cookie = format!("flowmap-review-{port}");
        Ok(Self { token, session: Secret::new()?, form: Secret::new()?, cookie, hosts })
    }

    /// Whether a name that a browser calls the server by is one of its own: another one that leads here was made to lead
    /// here by somebody else. Where it listens on all addresses, any address is.
    fn is_own_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let is_everywhere = |own: &String| own.parse::<SocketAddr>().is_ok_and(|own| own.ip().is_unspecified());
        let is_address = || host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok();
        self.hosts.contains(&host) || self.hosts.iter().any(is_everywhere) && is_address()
    }

    fn has_session(&self, headers: &HeaderMap) -> bool {
        cookie(headers, &self.cookie).is_some_and(|value| self.session.is(value))
    }

    fn session_cookie(&self) -> String {
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.session.text())
    }
}

/// Lets a request in or refuses it, and puts the headers on every answer.
pub(super) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&guard, &request) {
        Some((status, why)) => refused(status, why),
        None if request.uri().path() == "/open" => open(&guard, &request),
        None if !guard.has_session(request.headers()) => {
            refused(StatusCode::UNAUTHORIZED, "Open the address that flowmap printed: it holds the key.")
        }
        None => {
            if let Some(seat) = request.extensions().get::<Arc<Seat>>() {
                seat.keep();
            }
            next.run(request).await
        }
    };
    for (name, value) in HEADERS {
        if name == header::CACHE_CONTROL && response.headers().contains_key(&name) {
            continue;
        }
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request is not even looked at.
fn refusal(guard: &Guard, request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts != 1 || !text(header::HOST).is_some_and(|host| guard.is_own_host(host)) {
        return Some((StatusCode::MISDIRECTED_REQUEST, "This server is not called so."));
    }
    let site = text(HeaderName::from_static("sec-fetch-site"));
    // a page that names no referrer names no origin either; whether it is ours, only the browser can tell then
    let is_own_origin = |origin: &str| match origin {
        "null" => site == Some("same-origin"),
        origin => origin.strip_prefix("http://").is_some_and(|host| guard.is_own_host(host)),
    };
    if text(header::ORIGIN).is_some_and(|origin| !is_own_origin(origin)) {
        return Some((StatusCode::FORBIDDEN, "The request comes from another page."));
    }
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    let is_visit = is_read && text(HeaderName::from_static("sec-fetch-mode")).is_none_or(|mode| mode == "navigate");
    match site {
        None | Some("same-origin") => None,
        Some(_) if is_visit => None,
        Some(_) => Some((StatusCode::FORBIDDEN, "The request comes from another page.")),
    }
}

/// The secret of the address becomes a cookie, and leaves the address.
fn open(guard: &Guard, request: &Request) -> Response {
    if request.method() != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "There is nothing to send here.");
    }
    let fields = Fields::read(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    if !guard.token.is(fields.get("token")) {
        return refused(StatusCode::UNAUTHORIZED, "This key is not, or no longer, the one of this server.");
    }
    let mut response = Redirect::to("/").into_response();
    match HeaderValue::from_str(&guard.session_cookie()) {
        Ok(value) => drop(response.headers_mut().insert(header::SET_COOKIE, value)),
        Err(_) => *response.body_mut() = Body::empty(),
    }
    response
}
