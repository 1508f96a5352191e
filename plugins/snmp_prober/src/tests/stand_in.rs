//! An agent in memory, with the odd ways that agents and networks have.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use snmp2::{MessageType, Pdu, Version, snmp};

use crate::agent::Link;
use crate::ber::{SEQUENCE, TEXT, integer, name, tagged};

/// What is odd about an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    Nothing,
    Silent,
    Unreachable,
    LosesTheFirst,
    RepeatsOldAnswers,
    OnlyOldAnswers,
    Noise,
    CutShort,
    Circles,
}

#[derive(Clone, Debug)]
enum Held {
    Number(i64),
    Text(String),
    Ticks(u32),
}

pub(super) struct StandIn {
    values: BTreeMap<Vec<u64>, Held>,
    community: Vec<u8>,
    odd: Odd,
    waiting: VecDeque<Vec<u8>>,
    pub(super) requests: usize,
}

impl StandIn {
    /// It holds nothing.
    pub(super) fn empty() -> Self {
        Self {
            values: BTreeMap::new(),
            community: b"inside".to_vec(),
            odd: Odd::Nothing,
            waiting: VecDeque::new(),
            requests: 0,
        }
    }

    /// It knows how long it is up.
    pub(super) fn new() -> Self {
        Self::empty().holds(&[1, 3, 6, 1, 2, 1, 1, 3, 0], Held::Ticks(4711))
    }

    fn holds(mut self, name: &[u64], value: Held) -> Self {
        self.values.insert(name.to_vec(), value);
        self
    }

    pub(super) fn interface(self, index: u64, name: &str, description: &str, status: i64) -> Self {
        self.described(index, description, status)
            .holds(&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, index], Held::Text(name.to_owned()))
    }

    pub(super) fn described(self, index: u64, description: &str, status: i64) -> Self {
        self.holds(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2, index], Held::Text(description.to_owned()))
            .holds(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8, index], Held::Number(status))
    }

    pub(super) fn odd(self, odd: Odd) -> Self {
        Self { odd, ..self }
    }

    pub(super) fn community(self, community: &str) -> Self {
        Self { community: community.as_bytes().to_vec(), ..self }
    }

    /// The answer to a request; none if the agent keeps silent.
    fn answer(&self, request: &Pdu<'_>) -> Option<Vec<u8>> {
        if request.community != self.community {
            return None;
        }
        let (asked, _) = request.varbinds.clone().next().unwrap();
        let name: Vec<u64> = asked.iter().unwrap().collect();
        let values: Vec<(Vec<u64>, Option<Held>)> = match request.message_type {
            MessageType::GetRequest => vec![(name.clone(), self.values.get(&name).cloned())],
            MessageType::GetBulkRequest => {
                // An agent that goes in circles begins each column anew.
                let follows = |held: &[u64]| match self.odd {
                    Odd::Circles => held.starts_with(name.get(..11).unwrap_or(&name)),
                    _ => held > name.as_slice(),
                };
                let after = self.values.iter().filter(|(held, _)| follows(held));
                let most = usize::try_from(request.error_index).unwrap();
                let found: Vec<_> = after
                    .take(most)
                    .map(|(held, value)| (held.clone(), Some(value.clone())))
                    .collect();
                if found.is_empty() { vec![(name.clone(), None)] } else { found }
            }
            other => panic!("nobody asks for {other:?}"),
        };
        Some(self.message(request.req_id, &values))
    }

    fn message(&self, id: i32, values: &[(Vec<u64>, Option<Held>)]) -> Vec<u8> {
        let value = |value: &Option<Held>| match value {
            Some(Held::Number(number)) => integer(*number),
            Some(Held::Text(text)) => tagged(TEXT, text.as_bytes()),
            // A count without a sign.
            Some(Held::Ticks(ticks)) => {
                tagged(snmp::TYPE_TIMETICKS, &[&[0], &ticks.to_be_bytes()[..]].concat())
            }
            None => tagged(snmp::SNMP_ENDOFMIBVIEW, &[]),
        };
        let numbers =
            |of: &[u64]| of.iter().map(|n| u32::try_from(*n).unwrap()).collect::<Vec<_>>();
        let pairs = values
            .iter()
            .map(|(of, held)| tagged(SEQUENCE, &[name(&numbers(of)), value(held)].concat()));
        let pairs: Vec<u8> = pairs.flatten().collect();
        let body = [integer(i64::from(id)), integer(0), integer(0), tagged(SEQUENCE, &pairs)];
        let message = [
            integer(Version::V2C as i64),
            tagged(TEXT, &self.community),
            tagged(snmp::MSG_RESPONSE, &body.concat()),
        ];
        tagged(SEQUENCE, &message.concat())
    }
}

impl Link for StandIn {
    fn send(&mut self, datagram: &[u8]) -> Result<()> {
        self.requests += 1;
        let request = Pdu::from_bytes(datagram).expect("a request");
        let answer = self.answer(&request);
        let old = self.message(request.req_id - 1, &[]);
        self.waiting = match self.odd {
            Odd::Unreachable => return Err(Error::from(ErrorKind::ConnectionRefused)),
            Odd::Silent => VecDeque::new(),
            Odd::LosesTheFirst if self.requests == 1 => VecDeque::new(),
            Odd::RepeatsOldAnswers => [old.clone(), old].into_iter().chain(answer).collect(),
            Odd::OnlyOldAnswers => vec![old; 1_000].into(),
            Odd::Noise => VecDeque::from([b"HTTP/1.1 400 Bad Request".to_vec()]),
            Odd::CutShort => {
                answer.into_iter().map(|bytes| bytes[..bytes.len() - 3].to_vec()).collect()
            }
            Odd::Nothing | Odd::LosesTheFirst | Odd::Circles => answer.into_iter().collect(),
        };
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Vec<u8>>> {
        assert!(!timeout.is_zero());
        Ok(self.waiting.pop_front())
    }
}
