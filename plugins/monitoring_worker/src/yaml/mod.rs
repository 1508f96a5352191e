//! YAML as `PyYAML`'s `safe_load` understands it, because the templates were written for it: YAML
//! 1.1 scalars (`010` is 8, `1:30` is 90, `on` is true), of repeated keys the last one wins, `<<`
//! merges.
//!
//! `cases.json` holds documents with what the genuine `PyYAML` makes of them. What JSON cannot say
//! stays a text: dates, `.inf`, `.nan`, integers of more than 64 bits, and `=` and `<<` as values.
//! Keys become texts. `!!set`, `!!omap`, `!!pairs`, `!!binary` and `!!timestamp` are refused.

mod scalar;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::Map;
use stokehold_sdk::Json;

/// Levels of nesting.
const DEPTH_MAX: usize = 64;
/// Nodes of a document with its aliases written out.
const NODES_MAX: usize = 100_000;

/// Reads a stream of at most one document; an empty one is null.
pub(crate) fn read(text: &str) -> Result<Json, String> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), depth: 0, nodes: 0 };
    let mut document = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(document.unwrap_or_default()),
            Event::DocumentStart(_) if document.is_some() => {
                return Err("it has more than one document".to_owned());
            }
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            first => document = Some(reader.node(first)?),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: BTreeMap<usize, (Json, usize)>,
    depth: usize,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it breaks off".to_owned()),
        }
    }

    fn node(&mut self, first: Event<'a>) -> Result<Json, String> {
        self.count(1)?;
        let before = self.nodes;
        let (value, anchor) = match first {
            Event::Alias(id) => {
                let (value, nodes) =
                    self.anchors.get(&id).cloned().ok_or("an alias has no anchor")?;
                self.count(nodes)?;
                return Ok(value);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = known(tag.as_deref())?;
                (scalar::value(&text, style == ScalarStyle::Plain, tag)?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                demand(tag.as_deref(), "seq")?;
                (self.deeper(Self::sequence)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                demand(tag.as_deref(), "map")?;
                (self.deeper(Self::mapping)?, anchor)
            }
            _ => return Err("it is no YAML".to_owned()),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), self.nodes - before));
        }
        Ok(value)
    }

    fn count(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err(format!("it has more than {NODES_MAX} nodes"));
        }
        Ok(())
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Result<Json, String>) -> Result<Json, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} levels deep"));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Json, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Json::Array(items)),
                first => items.push(self.node(first)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Json, String> {
        let mut own = Map::new();
        let mut merged = Map::new();
        loop {
            let first = match self.next()? {
                Event::MappingEnd => break,
                first => first,
            };
            let is_merge =
                matches!(&first, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = key(self.node(first)?)?;
            let next = self.next()?;
            let value = self.node(next)?;
            if is_merge {
                merge(&mut merged, value)?;
            } else {
                own.insert(key, value);
            }
        }
        merged.append(&mut own);
        Ok(Json::Object(merged))
    }
}

/// Of a list of mappings, the first one that has a key counts.
fn merge(into: &mut Map<String, Json>, value: Json) -> Result<(), String> {
    match value {
        Json::Object(mut fields) => into.append(&mut fields),
        Json::Array(items) => {
            for item in items.into_iter().rev() {
                match item {
                    Json::Object(mut fields) => into.append(&mut fields),
                    _ => return Err("<< wants a mapping or a list of them".to_owned()),
                }
            }
        }
        _ => return Err("<< wants a mapping or a list of them".to_owned()),
    }
    Ok(())
}

fn key(value: Json) -> Result<String, String> {
    match value {
        Json::String(text) => Ok(text),
        Json::Array(_) | Json::Object(_) => Err("a key is a list or a mapping".to_owned()),
        other => Ok(other.to_string()),
    }
}

/// The name of a standard tag (`!!str` is `str`), `None` where there is no tag.
fn known(tag: Option<&Tag>) -> Result<Option<&str>, String> {
    match tag {
        None => Ok(None),
        Some(tag) if tag.is_yaml_core_schema() => Ok(Some(&tag.suffix)),
        // It takes a bare `!` for no tag.
        Some(tag) if format!("{}{}", tag.handle, tag.suffix) == "!" => Ok(None),
        Some(tag) => Err(format!("it has the unknown tag {}{}", tag.handle, tag.suffix)),
    }
}

fn demand(tag: Option<&Tag>, wanted: &str) -> Result<(), String> {
    match known(tag)? {
        None => Ok(()),
        Some(tag) if tag == wanted => Ok(()),
        Some(tag) => Err(format!("it has the tag !!{tag} where a {wanted} is")),
    }
}

#[cfg(test)]
mod tests;
