//! The review page as a browser sees it, without a browser.

#![expect(clippy::format_push_string, clippy::format_collect, reason = "a test has the time")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    Flowmap,
    cluster::{node, pod, service, with},
};

/// A running `flowmap review`, ended with this value.
pub struct Review {
    child: Child,
    pub port: u16,
    pub token: String,
    pub cookie: String,
}

/// What the server said.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

/// A policy of the sample, as the page names it.
pub const API: &str = "production/api.yaml#api";

pub type Form = Vec<(String, String)>;

/// How long anything may take on a machine that builds something else meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);

impl Review {
    /// On namespace `production`, decided on by Ann.
    pub fn start(flowmap: &Flowmap, args: &[&str]) -> Self {
        let named = if args.contains(&"--author") { vec![] } else { vec!["--author", "Ann"] };
        Self::start_unscoped(flowmap, &[&["-n", "production"], &named[..], args].concat())
    }

    pub fn start_unscoped(flowmap: &Flowmap, args: &[&str]) -> Self {
        let mut command = flowmap.command(&[&["review", "--listen", "127.0.0.1:0"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("flowmap starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("an address");
        let (address, token) = line.trim().split_once("/open?token=").expect("an address with a key");
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let mut review = Self { child, port, token: token.to_owned(), cookie: String::new() };
        let answer = review.get(&format!("/open?token={token}"));
        let cookie = answer.header("set-cookie").expect("a cookie").split(';').next().expect("a pair");
        cookie.clone_into(&mut review.cookie);
        review
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, and gives the exit code.
    pub fn end(&mut self, signal: &str) -> i32 {
        let killed =
            std::process::Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(killed.expect("kill starts").success());
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < until, "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Somebody without the cookie.
    pub fn stranger(&self) -> Visitor {
        self.with_cookie("")
    }

    pub fn with_cookie(&self, cookie: &str) -> Visitor {
        Visitor { port: self.port, cookie: cookie.to_owned() }
    }

    fn visitor(&self) -> Visitor {
        self.with_cookie(&self.cookie)
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/open?token={}", self.port, self.token)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.visitor().get(path)
    }

    pub fn post(&self, path: &str, form: &[(String, String)]) -> Answer {
        self.visitor().post(path, form)
    }

    pub fn post_with(&self, path: &str, form: &[(String, String)], headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("Content-Type", "application/x-www-form-urlencoded")], headers].concat();
        self.visitor().ask("POST", path, &headers, &encode(form))
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.visitor().ask(method, path, headers, body)
    }

    /// Sends a text as it is.
    pub fn raw(&self, text: &str) -> Answer {
        self.raw_bytes(text.as_bytes()).expect("an answer")
    }

    /// Sends bytes as they are; none where they are not answered.
    pub fn raw_bytes(&self, bytes: &[u8]) -> Option<Answer> {
        exchange(self.port, bytes, true)
    }

    /// Asks again until it is as it should be.
    #[track_caller]
    pub fn until(ask: impl Fn() -> Answer, is_so: impl Fn(&Answer) -> bool) -> Answer {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = ask();
            if is_so(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{}", answer.body);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn policy(&self, policy: &str) -> Answer {
        self.get(&format!("/policy?{}", encode(&[("policy".into(), policy.into())])))
    }

    /// The form that approves a policy as it is now.
    #[track_caller]
    pub fn approval(&self, policy: &str) -> Form {
        let mut form = self.policy(policy).form("/decide");
        form.push(("op".into(), "approve".into()));
        form
    }

    pub fn approve(&self, policy: &str) -> Answer {
        self.post("/decide", &self.approval(policy))
    }

    /// Approves everything on the first page.
    #[track_caller]
    pub fn approve_all(&self) {
        self.post("/decide", &self.get("/").form("/decide")).lands("/");
    }

    /// What a change of a rule would do.
    #[track_caller]
    pub fn edit(&self, policy: &str, side: &str, peer: &str, op: &str, more: &[(&str, &str)]) -> Answer {
        self.edit_at(policy, "", side, peer, op, more)
    }

    /// The same, with more asked for.
    #[track_caller]
    pub fn edit_at(
        &self,
        policy: &str,
        asked: &str,
        side: &str,
        peer: &str,
        op: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let page = self.get(&format!("/policy?{}{asked}", encode(&[("policy".into(), policy.into())]))).body;
        let from = page.find(&format!("aria-labelledby=\"{side}\"")).unwrap_or_else(|| panic!("no {side} in {page}"));
        let name = format!("<bdi>{peer}</bdi>");
        let at = page[from..].find(&name).unwrap_or_else(|| panic!("no {peer} in {page}")) + from;
        let rule = page[..at].rsplit("<li").next().and_then(|li| li.split("id=\"").nth(1)).expect("a rule");
        let rule = rule.split('"').next().expect("an id");
        let mut fields = vec![("policy", policy), ("rule", rule), ("op", op)];
        fields.extend(more);
        let fields: Form = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.get(&format!("/edit?{}{asked}", encode(&fields)))
    }

    /// Takes the decision that a page offers.
    #[track_caller]
    pub fn decide(&self, page: &Answer, reason: &str) -> Answer {
        let mut form = page.form("/decide");
        form.push(("reason".into(), reason.into()));
        self.post("/decide", &form)
    }

    /// The decisions, as the page lists them; empty where there is none.
    pub fn log(&self) -> String {
        let body = self.get("/history").body;
        body.split("<ol class=\"log\">").nth(1).unwrap_or_default().to_owned()
    }

    /// Takes back the decision with this reason.
    #[track_caller]
    pub fn undo(&self, reason: &str) -> Answer {
        self.post("/undo", &Self::undo_form_of(&self.log(), reason))
    }

    #[track_caller]
    pub fn undo_form_of(log: &str, reason: &str) -> Form {
        let entry = log.split("\n</li>").find(|entry| entry.contains(reason)).expect("an entry");
        form_of(entry, "/undo")
    }
}

impl Drop for Review {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who asks.
pub struct Visitor {
    port: u16,
    cookie: String,
}

impl Visitor {
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, form: &[(String, String)]) -> Answer {
        self.ask("POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], &encode(form))
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text += &format!("Host: 127.0.0.1:{}\r\n", self.port);
        }
        if !self.cookie.is_empty() {
            text += &format!("Cookie: {}\r\n", self.cookie);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        exchange(self.port, text.as_bytes(), false).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }
}

fn exchange(port: u16, bytes: &[u8], is_all: bool) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    // who closes early has said what there is to say
    let _ = stream.write_all(bytes);
    if is_all {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    assert!(!is_chunked, "pages have a length");
    // where a line may break is no part of a text
    Some(Answer { status, head: head.to_owned(), body: body.replace("<wbr>", "") })
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// It sends the browser on to a page.
    #[track_caller]
    pub fn lands(&self, path: &str) {
        let location = self.header("location").unwrap_or_default();
        assert_eq!((self.status, location.split('?').next()), (303, Some(path)), "{}", self.body);
    }

    /// The fields of the first form that goes there, as they stand.
    #[track_caller]
    pub fn form(&self, action: &str) -> Form {
        assert!(matches!(self.status, 200 | 409 | 422), "{}: {}", self.status, self.body);
        form_of(&self.body, action)
    }

    pub fn field(&self, action: &str, name: &str) -> Option<String> {
        self.form(action).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Where links lead that begin so.
    pub fn links(&self, start: &str) -> Vec<String> {
        let all = self.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(plain);
        all.filter(|link| link.starts_with(start)).collect()
    }
}

#[track_caller]
fn form_of(html: &str, action: &str) -> Form {
    let start = format!("action=\"{action}\"");
    let form = html.split(&start).nth(1).unwrap_or_else(|| panic!("no form to {action} in {html}"));
    let form = form.split("</form>").next().expect("an end");
    let attribute = |tag: &str, name: &str| {
        let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
        rest.split('"').next().map(plain)
    };
    let inputs = form.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
    inputs.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

/// A text without the escapes of HTML.
fn plain(text: &str) -> String {
    [
        ("&#38;", "&"),
        ("&amp;", "&"),
        ("&#60;", "<"),
        ("&lt;", "<"),
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escape, letter)| text.replace(escape, letter))
}

/// Fields as a query or a form.
pub fn encode(fields: &[(String, String)]) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

/// A store in which names do what they can: labels, pods and hosts with markup, letters that turn the text round, control
/// characters, and the longest name there is.
pub fn hostile() -> Flowmap {
    let flowmap = Flowmap::new();
    let long = format!("{}.example", "a123456789.".repeat(22));
    let names = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "rtl-\u{202e}txt.exe",
        "bell-\u{7}-\u{0}",
        &long,
    ];
    let mut items = vec![node("node-1", "192.0.2.1", "10.244.1.0/24"), service("web", "10.96.0.9")];
    for (n, name) in names.iter().enumerate() {
        let address = format!("10.244.1.{}", 10 + n);
        let labels = json!({"app": format!("app-{n}"), "note": name});
        let pod = with(pod(&format!("app-{n}"), &address), "/metadata/labels", labels);
        items.push(with(pod, "/metadata/name", json!(name)));
    }
    items.push(pod("web", "10.244.1.9"));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}}});
    items.push(namespace);
    flowmap.write("cluster.json", json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    let hosts = names
        .iter()
        .enumerate()
        .map(|(n, name)| format!("198.51.100.{},\"{}\"\n", 10 + n, name.replace('"', "\"\"").replace('\u{0}', "")));
    flowmap.write("hosts.csv", format!("address,name\n{}", hosts.collect::<String>()));
    let mut flows = String::from("client,server,protocol,port,connections,outcome,first_seen,last_seen\n");
    for n in 0..names.len() {
        flows += &format!(
            "10.244.1.{},10.244.1.9,TCP,8080,3,established,2026-11-25T10:00:00Z,2026-11-25T10:00:09Z\n",
            10 + n
        );
        flows += &format!(
            "10.244.1.9,198.51.100.{},TCP,443,2,established,2026-11-25T10:00:00Z,2026-11-25T10:00:09Z\n",
            10 + n
        );
    }
    flowmap.write("flows.csv", flows);
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json", "hosts.csv"]);
    flowmap
}

/// A store of one workload that calls two addresses outside.
pub fn outside() -> Flowmap {
    let flowmap = Flowmap::new();
    let items = [node("node-1", "192.0.2.1", "10.244.0.0/16"), pod("web", "10.244.1.10")];
    flowmap.write("cluster.json", json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    let mut flows = String::from("client,server,protocol,port,connections,outcome,first_seen,last_seen\n");
    for server in ["203.0.113.7", "203.0.113.9"] {
        flows += &format!("10.244.1.10,{server},TCP,443,3,established,2026-11-25T10:00:00Z,2026-11-25T12:00:09Z\n");
    }
    flowmap.write("flows.csv", flows);
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap
}

/// A store with so many workloads in three tiers, and so many dependencies between them and with the outside.
pub fn large(workloads: usize, dependencies: usize) -> Flowmap {
    let flowmap = Flowmap::new();
    let address = |n: usize| format!("10.244.{}.{}", 1 + n / 200, 10 + n % 200);
    let mut items = vec![node("node-1", "192.0.2.1", "10.244.0.0/16")];
    items.extend((0..workloads).map(|n| pod(&format!("w{n}"), &address(n))));
    items.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}}}));
    flowmap.write("cluster.json", json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    let mut flows = String::from("client,server,protocol,port,connections,outcome,first_seen,last_seen\n");
    let ports = [8080, 5432, 6379, 9092];
    for n in 0..dependencies {
        let from = (n * 7 + n / workloads) % workloads;
        let to = (from + 1 + n * 13 % (workloads - 1)) % workloads;
        let client = if n % 40 == 0 { format!("203.0.113.{}", n % 250) } else { address(from) };
        flows += &format!(
            "{client},{},TCP,{},{},established,2026-11-25T10:00:00Z,2026-11-25T12:00:09Z\n",
            address(to),
            ports[(to + n / 5_000) % 4],
            1 + n % 90
        );
    }
    flowmap.write("flows.csv", flows);
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap
}
