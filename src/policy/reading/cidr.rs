//! CIDRs as the API server takes them.

use ipnet::IpNet;
use serde_json::Value;

use super::fault::Reason;

/// Reads a CIDR that is written as the API server writes it: no bits beyond the prefix, no leading zeros, IPv6 as
/// RFC 5952 has it, and IPv4 never inside IPv6.
pub(super) fn parse(text: &str) -> Result<IpNet, Reason> {
    let is_mapped = |net: &IpNet| matches!(net, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some());
    let cidr: Option<IpNet> = text.parse().ok().filter(|net| !is_mapped(net));
    let canonical = cidr.ok_or_else(|| Reason::NoCidr(text.to_owned()))?.trunc();
    if canonical.to_string() == text {
        Ok(canonical)
    } else {
        Err(Reason::NotCanonical { found: text.to_owned(), canonical })
    }
}

/// Reads a CIDR however it is written, but for IPv4 inside IPv6. With `is_exact` it may have no bits beyond its prefix; without,
/// they mean nothing.
pub(super) fn parse_any(text: &str, is_exact: bool) -> Result<IpNet, Reason> {
    let is_mixed = text.contains(':') && text.contains('.');
    let net: Option<IpNet> = text.parse().ok().filter(|_| !is_mixed);
    let net = net.ok_or_else(|| Reason::NoCidr(text.to_owned()))?;
    let canonical = net.trunc();
    if is_exact && net.addr() != canonical.addr() {
        return Err(Reason::NotCanonical { found: text.to_owned(), canonical });
    }
    Ok(canonical)
}

/// Reads an exception, which must be a true part of its block.
pub(super) fn parse_except(text: &str, cidr: IpNet) -> Result<IpNet, Reason> {
    let except = parse(text)?;
    if cidr.contains(&except) && except != cidr { Ok(except) } else { Err(Reason::ExceptOutside { except, cidr }) }
}

/// Writes the prefixes of all blocks and networks of a policy as [`parse`] takes them; what is no prefix stays as it is.
pub(super) fn make_canonical(object: &mut Value) {
    let canonical = |text: &mut Value| {
        if let Some(Err(Reason::NotCanonical { canonical, .. })) = text.as_str().map(parse) {
            *text = canonical.to_string().into();
        }
    };
    let spec = object.get_mut("spec");
    let sides = spec.into_iter().filter_map(Value::as_object_mut).flat_map(serde_json::Map::values_mut);
    let rules = sides.filter_map(Value::as_array_mut).flatten();
    let peers = rules.filter_map(Value::as_object_mut).flat_map(serde_json::Map::values_mut);
    let peers = peers.filter_map(Value::as_array_mut).flatten();
    for peer in peers {
        peer.get_mut("networks").and_then(Value::as_array_mut).into_iter().flatten().for_each(canonical);
        let Some(block) = peer.get_mut("ipBlock") else { continue };
        block.get_mut("cidr").into_iter().for_each(canonical);
        block.get_mut("except").and_then(Value::as_array_mut).into_iter().flatten().for_each(canonical);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_text_is_a_cidr() {
        for text in ["0.0.0.0/0", "10.1.2.3/32", "::/0", "2001:db8::/32", "fe80::1/128"] {
            assert_eq!(parse(text).map(|net| net.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "10.0.0.1", "10.0.0.0/33", "::ffff:10.0.0.0/104", "10.0.0/24", " 10.0.0.0/8"] {
            assert_eq!(parse(text), Err(Reason::NoCidr(text.to_owned())));
        }
        for (text, canonical) in [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("010.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/08", "10.0.0.0/8"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("2001:0db8::/32", "2001:db8::/32"),
            ("0:0:0:0:0:0:0:0/0", "::/0"),
        ] {
            let canonical = canonical.parse().unwrap();
            assert_eq!(parse(text), Err(Reason::NotCanonical { found: text.to_owned(), canonical }));
        }
    }
}
