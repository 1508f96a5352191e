//! Templates as Jinja2 renders them with its default settings: blocks are not trimmed, nothing is
//! escaped, what is undefined is empty, one newline at the end is dropped, and values look as in
//! Python (`None`, `['a', True]`). One filter is added, `match`: whether a pattern fits from the
//! start of a text.
//!
//! `cases.json` holds templates with what the genuine Jinja2 makes of them. These differences
//! remain:
//!
//! * a dict shows and gives its keys in alphabetical order, not in the order they were written;
//! * `text % values` is an error (the filter `format` and the method `.format` work), and so are
//!   methods that change a list;
//! * loops over none and comparisons of a text with a number are allowed;
//! * numbers of 1e16 and more or under 1e-4 look otherwise inside lists and when joined by `~`;
//! * `range` shows itself as a list; an undefined value within a list shows itself as `undefined`;
//! * there is no filter `urlencode`, `wordcount`, `truncate`, `wordwrap`, `center`,
//!   `filesizeformat`, `pprint`, `striptags`, `xmlattr` or `random`, no test `callable`, and no
//!   `lipsum`, `cycler` and `joiner`;
//! * a pattern of `match` can neither look around nor refer back, and its `\d`, `\w`, `\s` are
//!   ASCII.

mod python;

use std::fmt::Write as _;

use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

use crate::Json;

/// Renders a template with the fields of a JSON object as its variables, or says what is wrong with
/// it.
pub fn render(template: &str, context: &Json) -> Result<String, String> {
    // Jinja2 reads every line end as a line feed.
    let template = template.replace("\r\n", "\n").replace('\r', "\n");
    let environment = environment();
    environment.render_str(&template, value(context)).map_err(|e| words(&e))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(python::method);
    environment.set_formatter(|out, state, value| match python::fraction(value) {
        Some(number) => Ok(out.write_str(&number)?),
        None => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter("e", python::escape);
    environment.add_filter("escape", python::escape);
    environment.add_filter("float", python::float);
    environment.add_filter("int", python::int);
    environment.add_filter("match", matches);
    environment.add_filter("string", python::string);
    environment.add_test("sequence", python::is_sequence);
    environment
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(fields) => {
            Value::from_pairs(fields.iter().map(|(k, v)| (k.as_str(), value(v))))
        }
    }
}

/// The operator's template is at fault: where, and why.
fn words(error: &Error) -> String {
    let mut words = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    if let Some(line) = error.line() {
        let _ = write!(words, " (line {line})");
    }
    words
}

/// `text | match(pattern)`: whether the pattern fits from the start of the text, as Python's
/// `re.match`.
fn matches(value: &Value, pattern: &str) -> Result<bool, Error> {
    let pattern = regex_lite::Regex::new(&format!("^(?:{pattern})")).map_err(|e| {
        let words = format!("cannot read the pattern of match: {e}");
        Error::new(ErrorKind::InvalidOperation, words)
    })?;
    Ok(value.as_str().is_some_and(|text| pattern.is_match(text)))
}

#[cfg(test)]
mod tests;
