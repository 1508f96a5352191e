//! HTTP requests and their answers in a file: a list of `{"method", "url", "status", "headers", "body"}`.
//!
//! Authors write such lists and hosts record them. A body that is a list or an object stands for its JSON text; what
//! is no text stands in `body_base64`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, json};

use super::document::{self, Flaw};
use crate::domain::{Exchange, Json, Message};

const KEYS: &str = "method, url, status, headers, body, body_base64, error, repeat, request";
/// Why there may be no answer.
pub const ERRORS: [&str; 6] = [
    "connection-refused",
    "connection-timeout",
    "connection-terminated",
    "dns-error",
    "response-timeout",
    "tls-certificate-error",
];

/// The answers of a file.
///
/// # Errors
/// Where it is no list of answers, and what was expected there.
pub fn read_answers(bytes: &[u8]) -> Result<Vec<Exchange>, String> {
    let answers = document::parse(bytes).and_then(read);
    answers.map_err(|flaw| flaw.to_string())
}

/// The file that says these answers.
pub fn spell_answers(exchanges: &[Exchange]) -> String {
    format!("{:#}\n", spell(exchanges))
}

pub(super) fn read(document: Json) -> Result<Vec<Exchange>, Flaw> {
    document::each(document, exchange)
}

fn exchange(json: Json) -> Result<Exchange, Flaw> {
    let mut document = document::object(json)?;
    let status = document.may("status", status)?;
    let error = document.may("error", error)?;
    let exchange = Exchange {
        method: document
            .may("method", document::text)?
            .map_or_else(|| "GET".to_owned(), |method| method.to_ascii_uppercase()),
        url: document.need("url", document::text)?,
        request: document.may("request", message)?.unwrap_or_default(),
        answer: parts(&mut document)?,
        repeats: document.may("repeat", document::flag)?.unwrap_or_default(),
        status: match (status, error) {
            (Some(_), Some(_)) => {
                return Err(Flaw::new("is given beside status: one of them").inside("error"));
            }
            (_, Some(word)) => Err(word),
            (status, None) => Ok(status.unwrap_or(200)),
        },
    };
    nothing_else(document, KEYS)?;
    Ok(exchange)
}

fn status(json: Json) -> Result<u16, Flaw> {
    let status = document::count(json)?;
    let fits = u16::try_from(status).ok().filter(|status| (100..1000).contains(status));
    fits.ok_or_else(|| Flaw::new("must be a status, as 200"))
}

fn error(json: Json) -> Result<String, Flaw> {
    let word = document::text(json)?;
    if ERRORS.contains(&word.as_str()) {
        return Ok(word);
    }
    Err(Flaw::new(format!("must be one of {}", ERRORS.join(", "))))
}

fn message(json: Json) -> Result<Message, Flaw> {
    let mut document = document::object(json)?;
    let message = parts(&mut document)?;
    nothing_else(document, "headers, body, body_base64")?;
    Ok(message)
}

fn parts(document: &mut document::Object) -> Result<Message, Flaw> {
    let headers = document.may("headers", headers)?.unwrap_or_default();
    let body = document.may("body", document::free)?;
    let coded = document.may("body_base64", |json| {
        let text = document::text(json)?;
        STANDARD.decode(text).map_err(|_| Flaw::new("must be base64"))
    })?;
    let body = match (body, coded) {
        (Some(_), Some(_)) => {
            return Err(Flaw::new("is given beside body: one of them").inside("body_base64"));
        }
        (None, None) => Vec::new(),
        (None, Some(bytes)) => bytes,
        (Some(Json::String(text)), None) => text.into_bytes(),
        (Some(json), None) => json.to_string().into_bytes(),
    };
    Ok(Message { headers, body })
}

/// `{"name": "value"}` or `{"name": ["value", "another"]}`.
fn headers(json: Json) -> Result<Vec<(String, String)>, Flaw> {
    let mut headers = Vec::new();
    for (name, value) in document::object(json)?.rest() {
        let values = match value {
            Json::Array(_) => document::each(value, document::text),
            one => document::text(one).map(|text| vec![text]),
        };
        let values = values.map_err(|flaw| flaw.inside(&name))?;
        let name = name.to_ascii_lowercase();
        headers.extend(values.into_iter().map(|value| (name.clone(), value)));
    }
    Ok(headers)
}

pub(super) fn nothing_else(document: document::Object, known: &str) -> Result<(), Flaw> {
    match document.rest().into_iter().next() {
        None => Ok(()),
        Some((key, _)) => {
            Err(Flaw::new(format!("is no key of this document; known are {known}")).inside(&key))
        }
    }
}

pub(super) fn spell(exchanges: &[Exchange]) -> Json {
    exchanges.iter().map(spell_one).collect()
}

fn spell_one(exchange: &Exchange) -> Json {
    let mut document = Map::new();
    let mut put = |name: &str, value: Json| document.insert(name.to_owned(), value);
    put("method", json!(exchange.method));
    put("url", json!(exchange.url));
    match &exchange.status {
        Ok(status) => put("status", json!(status)),
        Err(word) => put("error", json!(word)),
    };
    if exchange.repeats {
        put("repeat", json!(true));
    }
    if exchange.request != Message::default() {
        let mut request = Map::new();
        spell_parts(&exchange.request, &mut request);
        put("request", Json::Object(request));
    }
    spell_parts(&exchange.answer, &mut document);
    Json::Object(document)
}

fn spell_parts(message: &Message, document: &mut Map<String, Json>) {
    let mut headers = Map::new();
    for (name, value) in &message.headers {
        let all = headers.entry(name.clone()).or_insert_with(|| json!([]));
        if let Json::Array(all) = all {
            all.push(json!(value));
        }
    }
    for all in headers.values_mut() {
        // One value stands for itself.
        if let Json::Array(list) = all
            && list.len() == 1
            && let Some(only) = list.pop()
        {
            *all = only;
        }
    }
    if !headers.is_empty() {
        document.insert("headers".to_owned(), Json::Object(headers));
    }
    if message.body.is_empty() {
        return;
    }
    let (key, value) = match std::str::from_utf8(&message.body) {
        Err(_) => ("body_base64", json!(STANDARD.encode(&message.body))),
        Ok(text) => match serde_json::from_str(text) {
            Ok(json @ (Json::Array(_) | Json::Object(_))) => ("body", json),
            _ => ("body", json!(text)),
        },
    };
    document.insert(key.to_owned(), value);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_needs_no_more_than_its_address() {
        let [one] =
            <[_; 1]>::try_from(read_answers(br#"[{"url": "http://a/"}]"#).unwrap()).unwrap();
        assert_eq!((one.method.as_str(), one.status, one.repeats), ("GET", Ok(200), false));
        assert_eq!(one.answer, Message::default());
    }

    #[test]
    fn what_is_spelled_is_read_again() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let message = |body: &[u8]| Message {
            headers: vec![
                header("accept", "a"),
                header("set-cookie", "x"),
                header("set-cookie", "y"),
            ],
            body: body.to_vec(),
        };
        let exchange = |status, body: &[u8]| Exchange {
            method: "PUT".to_owned(),
            url: "http://a/b?c=d".to_owned(),
            request: message(b"q"),
            status,
            answer: message(body),
            repeats: true,
        };
        let all = vec![
            exchange(Ok(201), br#"{"a":[1,"\u001b"]}"#),
            exchange(Ok(500), b"plain"),
            exchange(Ok(200), b"7"),
            exchange(Ok(204), &[0xff, 0]),
            exchange(Err("dns-error".to_owned()), b""),
        ];
        assert_eq!(read_answers(spell_answers(&all).as_bytes()).unwrap(), all);
    }

    #[test]
    fn a_wrong_answer_is_told_with_its_place() {
        for (text, expected) in [
            ("{}", "the value must be a list, but is an object"),
            ("[{}]", "[0].url is missing"),
            (
                r#"[{"url": "u", "stats": 1}]"#,
                "[0].stats is no key of this document; known are method",
            ),
            (r#"[{"url": "u", "status": 9}]"#, "[0].status must be a status, as 200"),
            (r#"[{"url": "u", "error": "bad"}]"#, "[0].error must be one of connection-refused"),
            (r#"[{"url": "u", "status": 200, "error": "dns-error"}]"#, "[0].error is given beside"),
            (r#"[{"url": "u", "headers": {"a": 1}}]"#, "[0].headers.a must be a text"),
            (r#"[{"url": "u", "body_base64": "?"}]"#, "[0].body_base64 must be base64"),
            (r#"[{"url": "u", "body": 1, "body_base64": ""}]"#, "[0].body_base64 is given beside"),
            (r#"[{"url": "u", "request": {"url": 1}}]"#, "[0].request.url is no key"),
        ] {
            let why = read_answers(text.as_bytes()).unwrap_err();
            assert!(why.contains(expected), "{text} gave: {why}");
        }
    }
}
