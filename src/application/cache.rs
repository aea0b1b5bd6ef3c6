//! Redis (<https://redis.io/docs/latest/develop/reference/protocol-spec/>) and memcached
//! (<https://github.com/memcached/memcached/blob/master/doc/protocol.txt>).

use super::{Message, Sent};
use crate::model::{Application, Protection};

/// Commands of Redis that clients send; sorted. An answer may be an array of strings as well, but hardly begins with one
/// of these.
const COMMANDS: [&[u8]; 50] = [
    b"AUTH",
    b"BLPOP",
    b"BRPOP",
    b"BZPOPMIN",
    b"CLIENT",
    b"CLUSTER",
    b"COMMAND",
    b"CONFIG",
    b"DECR",
    b"DEL",
    b"ECHO",
    b"EVAL",
    b"EVALSHA",
    b"EXEC",
    b"EXISTS",
    b"EXPIRE",
    b"GET",
    b"GETDEL",
    b"GETEX",
    b"HDEL",
    b"HELLO",
    b"HGET",
    b"HGETALL",
    b"HINCRBY",
    b"HMGET",
    b"HMSET",
    b"HSET",
    b"INCR",
    b"INCRBY",
    b"INFO",
    b"LPUSH",
    b"LRANGE",
    b"MGET",
    b"MSET",
    b"MULTI",
    b"PEXPIRE",
    b"PING",
    b"PSUBSCRIBE",
    b"PSYNC",
    b"PUBLISH",
    b"REPLCONF",
    b"RPUSH",
    b"SADD",
    b"SELECT",
    b"SET",
    b"SETEX",
    b"SMEMBERS",
    b"SUBSCRIBE",
    b"XREADGROUP",
    b"ZADD",
];
/// The longest command that is looked for.
const MAX_COMMAND_BYTES: usize = 16;

/// A command as an array of strings, or the answer to PING.
pub fn redis(sent: Sent<'_>) -> Option<Message> {
    if sent.data.starts_with(b"+PONG\r\n") && sent.is_of(7) {
        return Some(Message::answer(Application::Redis, Protection::Clear));
    }
    let (count, rest) = number(sent.data.strip_prefix(b"*")?)?;
    let (length, rest) = number(rest.strip_prefix(b"$")?)?;
    let length = Some(length).filter(|length| *length <= MAX_COMMAND_BYTES)?;
    let command = rest.get(..length)?.to_ascii_uppercase();
    let is_command = count > 0 && COMMANDS.binary_search(&&command[..]).is_ok();
    let is_ended = rest.get(length..)?.starts_with(b"\r\n");
    // a server sends them too: to those who follow it, and what was subscribed to
    (is_command && is_ended).then_some(Message::either(Application::Redis, Protection::Clear))
}

/// A number of up to six digits that ends a line, and what follows.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((decimal(number)?, rest.strip_prefix(b"\r\n")?))
}

fn decimal(digits: &[u8]) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// A value that is set or answered, whose length is told.
pub fn memcached(sent: Sent<'_>) -> Option<Message> {
    let is_it = sent.data.starts_with(b"set ") || sent.data.starts_with(b"VALUE ");
    let line = if is_it { sent.line()? } else { return None };
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').take(7).collect();
    let (is_answer, bytes) = match words[..] {
        [b"set", key, flags, expiry, bytes] | [b"set", key, flags, expiry, bytes, b"noreply"] => {
            let is_set = is_key(key) && decimal(flags).is_some() && decimal(expiry).is_some();
            (false, decimal(bytes).filter(|_| is_set)?)
        }
        [b"VALUE", key, flags, bytes] | [b"VALUE", key, flags, bytes, _] => {
            (true, decimal(bytes).filter(|_| is_key(key) && decimal(flags).is_some())?)
        }
        _ => return None,
    };
    // behind the value a line ends; what did not fit is in the next segment
    let end = line.len().checked_add(2)?.checked_add(bytes)?;
    let is_begun = sent.bytes > line.len() + 2;
    let is_ended = is_begun && sent.data.get(end..).is_none_or(|rest| rest.is_empty() || rest.starts_with(b"\r"));
    is_ended.then_some(Message::of(is_answer, Application::Memcached, Protection::Clear))
}

fn is_key(key: &[u8]) -> bool {
    (1..=250).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}
