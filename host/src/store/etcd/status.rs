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
