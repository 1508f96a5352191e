//! Params, job, checkpoint and stack outputs as types of the plugin's own, read with serde.

mod params;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Failure, Host, Job, Json, NamedError, Next, ParamError, Stack};

/// Bytes of the reader's words; it quotes values, and those may be long.
const WORDS_BYTES_MAX: usize = 300;

/// Reads a JSON value as `T`. The failure is final and begins with `cannot read <what>`: the same
/// value will be no other at the next try.
///
/// ```
/// use stokehold_sdk::{json, read};
///
/// assert_eq!(read::<Vec<u16>>("ports", &json!([80, 443])).unwrap(), [80, 443]);
/// let failure = read::<Vec<u16>>("ports", &json!("80")).unwrap_err();
/// assert_eq!(
///     failure.words(),
///     "cannot read ports: invalid type: string \"80\", expected a sequence"
/// );
/// ```
pub fn read<T: DeserializeOwned>(what: &str, value: &Json) -> Result<T, Failure> {
    T::deserialize(value).map_err(|why| unreadable(what, &why))
}

/// The failure of a value that is not as the plugin wants it.
fn unreadable(what: &str, why: &dyn std::fmt::Display) -> Failure {
    let mut words = why.to_string();
    if words.len() > WORDS_BYTES_MAX {
        let end = (0..=WORDS_BYTES_MAX).rev().find(|at| words.is_char_boundary(*at));
        words.truncate(end.unwrap_or_default());
        words.push('…');
    }
    Failure::fatal(format!("cannot read {what}: {words}"))
}

/// Typed access to the job's params.
impl dyn Host + '_ {
    /// One param as `T`. It is resolved at this moment. The failure names the param; it is worth
    /// another try where the host could not look it up, final otherwise.
    ///
    /// ```
    /// # use stokehold_sdk::{Failure, Host};
    /// fn mtu(host: &dyn Host) -> Result<u16, Failure> {
    ///     host.param("mtu")
    /// }
    /// ```
    pub fn param<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        let value = self.resolve(name).map_err(|error| named(name, error))?;
        read(&format!("param {name}"), &value)
    }

    /// One param as `T`; `None` where the job has no such param or its value is null.
    pub fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        match self.resolve(name) {
            Ok(Json::Null) | Err(ParamError::Unknown(_)) => Ok(None),
            Ok(value) => read(&format!("param {name}"), &value).map(Some),
            Err(error) => Err(named(name, error)),
        }
    }

    /// The params as a struct: each field is the param of its name. Only these are resolved, so
    /// that a param which nobody asks for cannot fail. An `Option` may be missing, and so may what
    /// has `#[serde(default)]`. A struct with a flattened part and a map take all params.
    ///
    /// ```
    /// # use stokehold_sdk::{Failure, Host};
    /// #[derive(serde::Deserialize)]
    /// struct Record {
    ///     name: String,
    ///     values: Vec<String>,
    ///     ttl: Option<u32>,
    /// }
    ///
    /// fn record(host: &dyn Host) -> Result<Record, Failure> {
    ///     host.params()
    /// }
    /// ```
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        params::read(self)
    }
}

fn named(name: &str, error: ParamError) -> Failure {
    NamedError { name: name.to_owned(), error }.into()
}

impl Job {
    /// The resource's config body as `T`.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        read(&format!("the config of {}", self.target), &self.resource_input)
    }
}

impl Next {
    /// To be called again in `after_ms` milliseconds, with this checkpoint. It lies in the store,
    /// readable: no place for secrets.
    ///
    /// ```
    /// use stokehold_sdk::{Next, json};
    ///
    /// let next = Next::pending(500, &("asked", 2)).unwrap();
    /// assert_eq!(next, Next::Pending { after_ms: 500, checkpoint: json!(["asked", 2]) });
    /// ```
    pub fn pending<T: Serialize>(after_ms: u64, checkpoint: &T) -> Result<Self, Failure> {
        let checkpoint = serde_json::to_value(checkpoint)
            .map_err(|why| Failure::fatal(format!("cannot write the checkpoint: {why}")))?;
        Ok(Self::Pending { after_ms, checkpoint })
    }
}

impl Stack {
    /// The value of an output; `None` where there is no such output or it could not be computed.
    pub fn output(&self, key: &str) -> Option<&Json> {
        let output = self.outputs.iter().find(|output| output.key == key)?;
        output.error.is_none().then_some(&output.value)
    }
}

/// The checkpoint of the call before as `T`; `None` at the first call.
///
/// ```
/// use stokehold_sdk::{json, read_checkpoint};
///
/// assert_eq!(read_checkpoint::<u8>(None), Ok(None));
/// assert_eq!(read_checkpoint::<u8>(Some(&json!(3))), Ok(Some(3)));
/// assert!(read_checkpoint::<u8>(Some(&json!("three"))).is_err());
/// ```
pub fn read_checkpoint<T: DeserializeOwned>(
    checkpoint: Option<&Json>,
) -> Result<Option<T>, Failure> {
    checkpoint.map(|value| read("the checkpoint", value)).transpose()
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::{ScriptedHost, job};
    use crate::{Action, Output, OutputFault, ResourceRef, json};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wanted {
        name: String,
        count: Option<u8>,
        #[serde(default)]
        tags: Vec<String>,
    }

    fn missing() -> ParamError {
        ParamError::MissingStack(OutputFault {
            of: ResourceRef::new("network", "n1"),
            output_key: "id".to_owned(),
            reason: "gone".to_owned(),
        })
    }

    fn wanted(host: &ScriptedHost) -> Result<Wanted, Failure> {
        let host: &dyn Host = host;
        host.params()
    }

    #[test]
    fn a_struct_takes_the_params_it_names_and_no_others() {
        let host = ScriptedHost::new()
            .param("name", "a")
            .param("count", 3)
            .broken_param("nobody_asks", missing());
        let expected = Wanted { name: "a".to_owned(), count: Some(3), tags: Vec::new() };
        assert_eq!(wanted(&host), Ok(expected));
        let host = ScriptedHost::new().param("name", "a").param("count", Json::Null);
        assert_eq!(wanted(&host).map(|it| it.count), Ok(None));
    }

    #[test]
    fn a_map_takes_all_params() {
        let host = ScriptedHost::new().param("a", 1).param("b", 2);
        let host: &dyn Host = &host;
        let all: std::collections::BTreeMap<String, u8> = host.params().unwrap();
        assert_eq!(all, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    }

    #[test]
    fn what_is_wrong_with_a_struct_is_said_of_the_param() {
        let cases = [
            (ScriptedHost::new(), "cannot read the params: missing field `name`"),
            (
                ScriptedHost::new().param("name", 1),
                "cannot read param name: invalid type: integer `1`, expected a string",
            ),
            (
                ScriptedHost::new().param("name", "a").param("count", 256),
                "cannot read param count: invalid value: integer `256`, expected u8",
            ),
            (
                ScriptedHost::new().broken_param("name", missing()),
                "cannot resolve param name: it is output id of network:n1, which has no stack (gone)",
            ),
        ];
        for (host, words) in cases {
            assert_eq!(wanted(&host), Err(Failure::fatal(words)));
        }
        let away = ParamError::Unavailable("store is out of reach".to_owned());
        let host = ScriptedHost::new().broken_param("name", away);
        let words = "cannot resolve param name: store is out of reach";
        assert_eq!(wanted(&host), Err(Failure::retry(words)));
    }

    #[test]
    fn a_single_param_is_read_resolved_or_said_to_be_missing() {
        let away = ParamError::Unavailable("away".to_owned());
        let host = ScriptedHost::new()
            .param("a", json!(["x"]))
            .param("none", Json::Null)
            .broken_param("away", away);
        let host: &dyn Host = &host;
        assert_eq!(host.param::<Vec<String>>("a"), Ok(vec!["x".to_owned()]));
        assert_eq!(
            host.param::<u8>("a"),
            Err(Failure::fatal("cannot read param a: invalid type: sequence, expected u8"))
        );
        assert_eq!(
            host.param::<u8>("b"),
            Err(Failure::fatal("cannot resolve param b: the job has no param b"))
        );
        assert_eq!(host.optional::<u8>("b"), Ok(None));
        assert_eq!(host.optional::<u8>("none"), Ok(None));
        assert_eq!(
            host.optional::<u8>("away"),
            Err(Failure::retry("cannot resolve param away: away"))
        );
        assert!(host.optional::<u8>("a").is_err());
    }

    #[test]
    fn a_long_value_is_not_quoted_whole() {
        let failure = read::<u8>("it", &json!("ż".repeat(1000))).unwrap_err();
        assert!(failure.words().ends_with('…') && failure.words().len() < 350, "{failure:?}");
    }

    #[test]
    fn the_config_of_a_job_is_read_and_named() {
        let mut job = job(Action::Create, ResourceRef::new("port", "p1"), "");
        job.resource_input = json!({"name": "x"});
        assert_eq!(job.input::<Wanted>().map(|it| it.name), Ok("x".to_owned()));
        job.resource_input = json!({});
        let words = "cannot read the config of port:p1: missing field `name`";
        assert_eq!(job.input::<Wanted>(), Err(Failure::fatal(words)));
    }

    #[test]
    fn an_output_that_could_not_be_computed_is_none() {
        let output = |key: &str, error: Option<&str>| Output {
            key: key.to_owned(),
            value: json!(1),
            description: String::new(),
            error: error.map(str::to_owned),
        };
        let outputs = vec![output("good", None), output("bad", Some("why"))];
        let stack = Stack { outputs, ..Stack::default() };
        assert_eq!(stack.output("good"), Some(&json!(1)));
        assert_eq!(stack.output("bad"), None);
        assert_eq!(stack.output("other"), None);
    }
}
