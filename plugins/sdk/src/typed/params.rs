//! All params a type asks for, resolved one by one as it asks.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{named, unreadable};
use crate::{Failure, Host, Json};

pub(super) fn read<T: DeserializeOwned>(host: &dyn Host) -> Result<T, Failure> {
    T::deserialize(Params(host)).map_err(|why| match why {
        Stop::Param(failure) => failure,
        Stop::Whole(words) => unreadable("the params", &words),
    })
}

/// Why reading stops.
#[derive(Debug)]
enum Stop {
    /// One param cannot be had or is not as wanted.
    Param(Failure),
    /// What the type says of all of them: one is missing.
    Whole(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Param(failure) => failure.words(),
            Self::Whole(words) => words,
        })
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::Whole(words.to_string())
    }
}

struct Params<'h>(&'h (dyn Host + 'h));

impl<'de> Deserializer<'de> for Params<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_map(Each::new(self.0, self.0.param_names()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let mut names = self.0.param_names();
        names.retain(|name| fields.contains(&name.as_str()));
        visitor.visit_map(Each::new(self.0, names))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Each<'h> {
    host: &'h (dyn Host + 'h),
    names: std::vec::IntoIter<String>,
    /// The param whose key was given last.
    name: String,
}

impl<'h> Each<'h> {
    fn new(host: &'h (dyn Host + 'h), names: Vec<String>) -> Self {
        Self { host, names: names.into_iter(), name: String::new() }
    }
}

impl<'de> MapAccess<'de> for Each<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        let Some(name) = self.names.next() else { return Ok(None) };
        self.name.clone_from(&name);
        seed.deserialize(StringDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        let name = &self.name;
        let value: Json =
            self.host.resolve(name).map_err(|error| Stop::Param(named(name, error)))?;
        seed.deserialize(value)
            .map_err(|why| Stop::Param(unreadable(&format!("param {name}"), &why)))
    }
}
