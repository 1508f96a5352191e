//! How the members are, for a doctor.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Etcd;
use super::trouble::Trouble;

/// One member, as it answers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Where it was asked.
    pub url: String,
    /// How it is, or why it cannot be asked.
    pub state: Result<MemberState, String>,
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// Its version, as in `3.5.1`.
    pub version: String,
    /// Whether it leads.
    pub leads: bool,
    /// Whether it knows who does.
    pub has_leader: bool,
    /// The term of its leader; it grows with every election.
    pub raft_term: u64,
    /// The size of its file, in bytes.
    pub db_bytes: u64,
    /// What it complains of, such as a quota that is used up.
    pub errors: Vec<String>,
}

impl MemberState {
    /// What is wrong with its version, and what helps.
    pub fn advice(&self) -> Option<&'static str> {
        let numbers: Vec<u32> =
            self.version.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        match numbers.as_slice() {
            [0..=2, ..] | [3, 0..=3, ..] => Some("it is too old; 3.4 is the oldest that will do"),
            [3, 5, 0..=2, ..] => {
                Some("it may lose acknowledged writes in a crash; 3.5.3 is the first that does not")
            }
            _ => None,
        }
    }
}

impl Etcd {
    /// Asks every member how it is, all at the same time; in the order of the address.
    pub async fn status(&self) -> Vec<MemberStatus> {
        let mut asked = JoinSet::new();
        for (at, url) in self.link.urls().enumerate() {
            let (link, url) = (Arc::clone(&self.link), url.to_owned());
            asked.spawn(async move {
                let state = async {
                    let client = link.connect(at).await?;
                    let answer = client.maintenance_client().status().await?;
                    let own = answer.header().map(etcd_client::ResponseHeader::member_id);
                    Ok::<_, Trouble>(MemberState {
                        version: answer.version().to_owned(),
                        leads: own == Some(answer.leader()),
                        has_leader: answer.leader() != 0,
                        raft_term: answer.raft_term(),
                        db_bytes: u64::try_from(answer.db_size()).unwrap_or_default(),
                        errors: answer.errors().to_vec(),
                    })
                };
                let state = match timeout(link.request_timeout, state).await {
                    Ok(state) => state.map_err(Trouble::text),
                    Err(_) => {
                        Err(format!("no answer within {} ms", link.request_timeout.as_millis()))
                    }
                };
                (at, MemberStatus { url, state })
            });
        }
        let mut all = asked.join_all().await;
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, status)| status).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_loses_writes_is_named() {
        let cases = [
            ("3.3.27", Some("too old")),
            ("2.3.8", Some("too old")),
            ("3.4.23", None),
            ("3.5.0", Some("lose acknowledged writes")),
            ("3.5.2", Some("lose acknowledged writes")),
            ("3.5.3", None),
            ("3.6.0-rc.1", None),
            ("4.0.0", None),
            ("", None),
        ];
        for (version, expected) in cases {
            let state = MemberState {
                version: version.to_owned(),
                leads: true,
                has_leader: true,
                raft_term: 1,
                db_bytes: 0,
                errors: Vec::new(),
            };
            let advice = state.advice().unwrap_or_default();
            assert_eq!(advice.is_empty(), expected.is_none(), "{version}");
            assert!(advice.contains(expected.unwrap_or_default()), "{version}: {advice}");
        }
    }
}
