//! Requests and answers as they go over the network.

use snmp2::{MessageType, Oid, Pdu, Value, Version, snmp};

use crate::ber::{self, SEQUENCE, TEXT, integer, tagged};

/// No value yet.
const NULL: u8 = 0x05;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The value under this name.
    Get(Vec<u32>),
    /// Up to so many values that come after this name.
    After(Vec<u32>, u32),
}

/// A value that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A whole number.
    Number(i64),
    /// A text, in whatever encoding.
    Text(Vec<u8>),
    /// Hundredths of a second since it started.
    Ticks(u32),
    /// There is none.
    Nothing,
    /// Something else.
    Other,
}

/// Names and their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// As the protocol numbers errors; 0 is none.
    pub(crate) error: u32,
    /// In the agent's order.
    pub(crate) values: Vec<(Vec<u32>, Told)>,
}

/// The datagram of a request.
pub(crate) fn request(community: &[u8], id: i32, ask: &Ask) -> Vec<u8> {
    let (kind, name, repetitions) = match ask {
        Ask::Get(name) => (snmp::MSG_GET, name, 0),
        Ask::After(name, repetitions) => (snmp::MSG_GET_BULK, name, *repetitions),
    };
    let values = tagged(SEQUENCE, &[ber::name(name), tagged(NULL, &[])].concat());
    let body = [
        integer(i64::from(id)),
        integer(0),
        integer(i64::from(repetitions)),
        tagged(SEQUENCE, &values),
    ];
    let message =
        [integer(Version::V2C as i64), tagged(TEXT, community), tagged(kind, &body.concat())];
    tagged(SEQUENCE, &message.concat())
}

/// What a datagram answers to the request of this number; none if it belongs to another one.
///
/// # Errors
/// It is no message of the protocol.
pub(crate) fn answer(datagram: &[u8], community: &[u8], id: i32) -> Result<Option<Answer>, String> {
    let message =
        Pdu::from_bytes(datagram).map_err(|error| format!("it answers no SNMP ({error})"))?;
    let belongs = message.message_type == MessageType::Response
        && message.req_id == id
        && message.community == community;
    if !belongs {
        return Ok(None);
    }
    let values = message.varbinds.clone();
    let values = values.map(|(name, value)| Some((numbers(&name)?, told(&value))));
    let values = values.collect::<Option<Vec<_>>>();
    let values = values.ok_or_else(|| "it answers a name that is too long".to_owned())?;
    Ok(Some(Answer { error: message.error_status, values }))
}

fn numbers(name: &Oid<'_>) -> Option<Vec<u32>> {
    name.iter()?.map(|number| u32::try_from(number).ok()).collect()
}

fn told(value: &Value<'_>) -> Told {
    match value {
        Value::Integer(number) => Told::Number(*number),
        Value::OctetString(text) => Told::Text(text.to_vec()),
        Value::Timeticks(ticks) => Told::Ticks(*ticks),
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {
            Told::Nothing
        }
        _ => Told::Other,
    }
}
