//! The forms that Kubernetes gives to names (RFC 1035, 1123, 6335 and its own for labels).

/// A form with its rule in words.
#[derive(Clone, Copy)]
pub struct Form {
    /// The rule, after "must be".
    pub rule: &'static str,
    /// Whether a word has it.
    pub holds: fn(&str) -> bool,
}

impl Form {
    /// Why a word that has not this form is of no use.
    #[must_use]
    pub fn refusal(&self, word: &str) -> String {
        format!("`{}` must be {}", shortened(word), self.rule)
    }
}

/// A word of which as much is told as says which one it is: it may be as long as its file.
fn shortened(word: &str) -> String {
    /// The longest word that any form takes.
    const MAX_LETTERS: usize = 253;
    let mut letters = word.chars();
    let mut told: String = letters.by_ref().take(MAX_LETTERS).collect();
    if letters.next().is_some() {
        told.push('…');
    }
    told
}

/// Names of most objects.
pub const SUBDOMAIN: Form = Form {
    rule: "a DNS subdomain: lower-case letters, digits, `-` and `.`, 253 at most, each part starting and ending with \
           a letter or digit",
    holds: is_subdomain,
};

/// Names of namespaces: DNS labels.
pub const NAMESPACE: Form = Form {
    rule: "a DNS label: lower-case letters, digits and `-`, 63 at most, starting and ending with a letter or digit",
    holds: is_dns_label,
};

/// Keys of labels and annotations.
pub const LABEL_KEY: Form = Form {
    rule: "a label key: letters, digits, `-`, `_` and `.`, 63 at most, starting and ending with a letter or digit, \
           optionally after a DNS subdomain and `/`",
    holds: is_label_key,
};

/// Values of labels.
pub const LABEL_VALUE: Form = Form {
    rule: "a label value: empty, or letters, digits, `-`, `_` and `.`, 63 at most, starting and ending with a letter \
           or digit",
    holds: |word| word.is_empty() || is_label_name(word),
};

/// Names of ports.
pub const PORT_NAME: Form = Form {
    rule: "a port number or a port name: lower-case letters, digits and single `-` between them, 15 at most, at least \
           one letter",
    holds: is_port_name,
};

fn is_dns_label(word: &str) -> bool {
    word.len() <= 63 && is_dns_part(word)
}

/// A subdomain's parts may be as long as the whole: only the whole is bounded.
fn is_subdomain(word: &str) -> bool {
    word.len() <= 253 && word.split('.').all(is_dns_part)
}

fn is_dns_part(word: &str) -> bool {
    bounded_by_alphanumerics(word) && word.bytes().all(|b| is_lower_or_digit(b) || b == b'-')
}

fn is_label_key(word: &str) -> bool {
    match word.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_name(name),
        None => is_label_name(word),
    }
}

fn is_label_name(word: &str) -> bool {
    word.len() <= 63
        && bounded_by_alphanumerics(word)
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_port_name(word: &str) -> bool {
    is_dns_part(word) && word.len() <= 15 && !word.contains("--") && word.bytes().any(|b| b.is_ascii_lowercase())
}

fn bounded_by_alphanumerics(word: &str) -> bool {
    let is_alphanumeric = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
    is_alphanumeric(word.bytes().next()) && is_alphanumeric(word.bytes().next_back())
}

fn is_lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, good: &[&str], bad: &[&str]) {
        for word in good {
            assert!((form.holds)(word), "{word} is {}", form.rule);
        }
        for word in bad {
            assert!(!(form.holds)(word), "{word} is not {}", form.rule);
        }
    }

    #[test]
    fn names_have_the_forms_that_the_api_server_checks() {
        let long = "a".repeat(64);
        check(SUBDOMAIN, &["db", "0", "a.b-c.d", &long], &["", "Db", "a..b", "a.", "-a", "a_b", &"a".repeat(254)]);
        check(NAMESPACE, &["production", "1"], &["", "a.b", "a-", &long]);
        check(
            LABEL_KEY,
            &["app", "App_1.x", "app.kubernetes.io/name"],
            &["", "/x", "a/", "A/x", "a/b/c", "a b", &long],
        );
        check(LABEL_VALUE, &["", "v1.2_3", "A"], &["-", "a ", "a/b", "é", &long]);
        check(PORT_NAME, &["http", "h", "8080a", "a-b"], &["", "80", "a--b", "-a", "a-", "Http", "sixteen-letters-"]);
    }
}
