//! The Host field of HTTP/1 requests (RFC 9112, section 3.2).

/// How much of a segment is searched: servers refuse longer heads.
const MAX_HEAD_BYTES: usize = 8 << 10;
/// The longest method that is looked for; registered ones have up to 17 (RFC 9110, section 16.1), others are made up.
const MAX_METHOD_BYTES: usize = 20;

/// What a request says about its server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// It is called so; a port behind the name is taken off.
    Host(&'a [u8]),
    /// It is a proxy: what is asked for is elsewhere.
    Proxy,
}

/// The request that a segment begins with. What is cut before the end of the Host field gives nothing, nor does a request
/// with two of them, or with an address in place of a name.
pub(super) fn request(data: &[u8]) -> Option<Request<'_>> {
    let method = method(data)?;
    if method == b"CONNECT" && is_begun(data) {
        return Some(Request::Proxy);
    }
    let head = data.get(..MAX_HEAD_BYTES).unwrap_or(data);
    let mut lines = head.split_inclusive(|byte| *byte == b'\n').map_while(|line| line.strip_suffix(b"\r\n"));
    let line = lines.next()?;
    let target = line.strip_suffix(b" HTTP/1.1").or_else(|| line.strip_suffix(b" HTTP/1.0"))?;
    let target = target.get(method.len() + 1..)?;
    // RFC 9112, section 3.2: proxies are asked for a whole URI, or for a host and port
    if method == b"CONNECT" || !matches!(target.first(), Some(b'/' | b'*')) {
        return Some(Request::Proxy);
    }
    let mut hosts = lines.take_while(|line| !line.is_empty()).filter_map(host_of);
    let host = hosts.next()?;
    (hosts.next().is_none() && !is_address(host)).then_some(Request::Host(host))
}

/// Whether a segment holds the beginning of a line alone, of such as name a host: the rest comes in another. NATS has braces
/// behind the same word.
fn is_begun(data: &[u8]) -> bool {
    data.iter().all(|byte| byte.is_ascii_alphanumeric() || b" .-_:[]/\r".contains(byte))
}

/// Whether a segment begins with a request whose head ends behind it, or behind what was captured, and does not name a host
/// before.
pub(super) fn is_cut(data: &[u8]) -> bool {
    let head = data.get(..MAX_HEAD_BYTES).unwrap_or(data);
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    let is_request = method(head).is_some() && lines.next().is_some_and(|line| line.ends_with(b" HTTP/1.1\r\n"));
    let is_told =
        |line: &[u8]| line.strip_suffix(b"\r\n").is_some_and(|line| line.is_empty() || host_of(line).is_some());
    is_request && head.len() < MAX_HEAD_BYTES && !lines.any(is_told)
}

/// The method at the beginning. Any token is one (RFC 9110, section 9.1); clients write capitals, `_` and `-`.
fn method(data: &[u8]) -> Option<&[u8]> {
    let head = data.get(..=MAX_METHOD_BYTES).unwrap_or(data);
    let end = head.iter().position(|byte| *byte == b' ')?;
    let method = head.get(..end).filter(|method| !method.is_empty())?;
    let is_letter = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-');
    method.iter().all(is_letter).then_some(method)
}

/// The value of a field that is Host, without its port.
fn host_of(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at_checked(4)?;
    let value = value.strip_prefix(b":").filter(|_| name.eq_ignore_ascii_case(b"host"))?.trim_ascii();
    let colon = value.iter().rposition(|byte| *byte == b':');
    let parts = colon.and_then(|at| value.split_at_checked(at));
    let is_port = |part: &[u8]| part.iter().skip(1).all(u8::is_ascii_digit);
    Some(parts.filter(|(_, port)| is_port(port)).map_or(value, |(host, _)| host))
}

/// An IPv6 address in brackets, an IPv4 address, or nothing: no name, and no fault.
fn is_address(host: &[u8]) -> bool {
    host.is_empty() || host.starts_with(b"[") || host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}
