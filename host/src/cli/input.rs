//! What `apply` reads: resources and templates, in the forms people write them.

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Deserializer, Map};

use crate::domain::{Json, ResourceRef};

/// One thing that is to be there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desired {
    /// Which; a template is of the kind `heat_template`.
    pub(super) of: ResourceRef,
    /// Its body, an object with an `id`.
    pub(super) body: Json,
}

/// The kind of templates.
pub(super) const TEMPLATE: &str = "heat_template";

/// Reads a file's text: JSON values one after the other, each a resource or a list of them. A
/// resource is `{"type": "port", "body": {…}}` or `{"port": {…}}`. A template may name a file
/// beside its own instead of holding its text: `"template_file": {"file": "port.yaml"}`; `open`
/// reads that.
///
/// # Errors
/// Says which value of the file is wrong, and how.
pub(super) fn parse(text: &str, open: &dyn Fn(&str) -> Result<String>) -> Result<Vec<Desired>> {
    let mut found = Vec::new();
    for (nth, value) in Deserializer::from_str(text).into_iter::<Json>().enumerate() {
        let place = || format!("value {}", nth + 1);
        match value.with_context(place)? {
            Json::Array(items) => {
                for (at, item) in items.into_iter().enumerate() {
                    let item = desired(item, open);
                    found.push(item.with_context(|| format!("{}, element {}", place(), at + 1))?);
                }
            }
            value => found.push(desired(value, open).with_context(place)?),
        }
    }
    ensure!(!found.is_empty(), "there is no resource in it");
    Ok(found)
}

fn desired(value: Json, open: &dyn Fn(&str) -> Result<String>) -> Result<Desired> {
    let Json::Object(mut map) = value else {
        bail!("must be an object, as {FORMS}");
    };
    let (kind, body) = match (map.remove("type"), map.remove("body")) {
        (Some(Json::String(kind)), Some(body)) if map.is_empty() => (kind, body),
        (None, None) if map.len() == 1 => {
            map.into_iter().next().ok_or_else(|| anyhow!("must not be empty"))?
        }
        _ => bail!("must be {FORMS}"),
    };
    let Json::Object(mut body) = body else {
        bail!("the body of the {kind} must be an object");
    };
    let id = match body.get("id") {
        Some(Json::String(id)) if !id.is_empty() => id.clone(),
        _ => bail!("the body of the {kind} must have an id, a text"),
    };
    if kind == TEMPLATE {
        include_text(&id, &mut body, open)?;
    }
    Ok(Desired { of: ResourceRef::new(kind, id), body: Json::Object(body) })
}

const FORMS: &str = r#"{"type": "port", "body": {...}} or {"port": {...}}"#;

fn include_text(
    id: &str,
    body: &mut Map<String, Json>,
    open: &dyn Fn(&str) -> Result<String>,
) -> Result<()> {
    let Some(Json::Object(reference)) = body.get("template_file") else {
        return Ok(());
    };
    let Some(Json::String(file)) = reference.get("file").filter(|_| reference.len() == 1) else {
        bail!(r#"template_file of {id} must be a text, or {{"file": "name"}}"#);
    };
    let text = open(file).with_context(|| format!("cannot read template {file} of {id}"))?;
    body.insert("template_file".to_owned(), Json::String(text));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use serde_json::json;

    use super::*;

    fn no_file(name: &str) -> Result<String> {
        bail!("there is no {name}")
    }

    #[test]
    fn all_forms_mean_the_same() {
        let port = Desired { of: ResourceRef::new("port", "1"), body: json!({"id": "1", "n": 2}) };
        let long = r#"{"type": "port", "body": {"id": "1", "n": 2}}"#;
        let short = r#"{"port": {"id": "1", "n": 2}}"#;
        for text in [long, short, &format!("[{short}]")] {
            assert_eq!(parse(text, &no_file).unwrap(), std::slice::from_ref(&port));
        }
        let lines = format!("{long}\n{short}\n\n[{short}, {long}]\n");
        assert_eq!(parse(&lines, &no_file).unwrap().len(), 4);
    }

    #[test]
    fn a_template_may_lie_in_a_file_beside() {
        let open = |name: &str| Ok(format!("text of {name}"));
        let text = r#"{"heat_template": {"id": "a", "template_file": {"file": "a.yaml"}}}"#;
        assert_eq!(parse(text, &open).unwrap()[0].body["template_file"], json!("text of a.yaml"));
        let said = format!("{:#}", parse(text, &no_file).unwrap_err());
        assert_eq!(said, "value 1: cannot read template a.yaml of a: there is no a.yaml");
        let other = r#"{"port": {"id": "a", "template_file": {"file": "a.yaml"}}}"#;
        let kept = &parse(other, &open).unwrap()[0].body["template_file"];
        assert_eq!(kept, &json!({"file": "a.yaml"}));
    }

    #[test]
    fn a_refusal_says_which_value_is_wrong_and_how() {
        let cases = [
            ("", "there is no resource in it"),
            ("[]", "there is no resource in it"),
            ("{\"port\"", "value 1: EOF while parsing"),
            ("{\"a\": {\"id\": \"1\"}} 7", "value 2: must be an object, as {\"type\": \"port\""),
            ("[{\"a\": 1}]", "value 1, element 1: the body of the a must be an object"),
            ("{\"a\": {}, \"b\": {}}", "value 1: must be {\"type\": \"port\", \"body\""),
            ("{\"type\": 1, \"body\": {}}", "value 1: must be {\"type\""),
            ("{\"port\": {\"id\": 1}}", "value 1: the body of the port must have an id, a text"),
            ("{\"port\": {\"id\": \"\"}}", "must have an id, a text"),
            (
                "{\"heat_template\": {\"id\": \"a\", \"template_file\": {\"f\": 1}}}",
                "value 1: template_file of a must be a text, or {\"file\": \"name\"}",
            ),
        ];
        for (text, expected) in cases {
            let said = format!("{:#}", parse(text, &no_file).unwrap_err());
            assert!(said.contains(expected), "{text:?} gave {said:?}");
        }
    }
}
