//! A DNS server's HTTP interface, as `dns_worker` and its kin in other languages know it: `PUT`, `GET` and `DELETE` of
//! `/records/<id>`. A record shows some looks after it was sent, as it takes a while to spread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use serde_json::Value as Json;

use crate::http_server::{Asked, HttpServer};

/// The server.
pub struct DnsServer {
    http: HttpServer,
    zone: Arc<Mutex<Zone>>,
}

/// What the server knows and was asked.
#[derive(Default)]
struct Zone {
    /// With the looks that are left until it shows.
    records: BTreeMap<String, (Json, u32)>,
    /// Method and id, in order.
    asked: Vec<(String, String)>,
    /// Requests that are refused for now, from the next one on.
    busy: u32,
    /// Looks in vain at each record.
    looks: u32,
}

impl DnsServer {
    /// A server whose records show after `looks` looks in vain.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(looks: u32) -> Result<Self> {
        let zone = Arc::new(Mutex::new(Zone { looks, ..Zone::default() }));
        let shared = Arc::clone(&zone);
        let http = HttpServer::start(move |asked| lock(&shared).answer(asked)).await?;
        Ok(Self { http, zone })
    }

    /// Its address, for `dns_url`.
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// Its host and port, for a grant.
    pub fn authority(&self) -> String {
        self.http.authority().to_owned()
    }

    /// It answers the next requests with 503.
    pub fn be_busy(&self, requests: u32) {
        lock(&self.zone).busy = requests;
    }

    /// The record with this id, as it was sent.
    pub fn record(&self, id: &str) -> Option<Json> {
        lock(&self.zone).records.get(id).map(|(record, _)| record.clone())
    }

    /// Method and id of all requests, in order.
    pub fn asked(&self) -> Vec<(String, String)> {
        lock(&self.zone).asked.clone()
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Zone {
    fn answer(&mut self, asked: &Asked) -> (u16, Json) {
        let Some(id) = asked.path.strip_prefix("/records/").map(str::to_owned) else {
            return (400, Json::Null);
        };
        self.asked.push((asked.method.clone(), id.clone()));
        if let Some(left) = self.busy.checked_sub(1) {
            self.busy = left;
            return (503, Json::Null);
        }
        match asked.method.as_str() {
            "PUT" => self.put(id, &asked.body),
            "DELETE" => (self.records.remove(&id).map_or(404, |_| 204), Json::Null),
            "GET" => match self.records.get_mut(&id) {
                Some((record, 0)) => (200, record.clone()),
                Some((_, looks)) => {
                    *looks -= 1;
                    (404, Json::Null)
                }
                None => (404, Json::Null),
            },
            _ => (405, Json::Null),
        }
    }

    fn put(&mut self, id: String, body: &[u8]) -> (u16, Json) {
        let record: Option<Json> = serde_json::from_slice(body).ok();
        let Some(record) = record.filter(is_record) else { return (422, Json::Null) };
        // The same again is no news and takes no time to spread.
        if self.records.get(&id).is_some_and(|(present, _)| *present == record) {
            return (200, Json::Null);
        }
        self.records.insert(id, (record, self.looks));
        (201, Json::Null)
    }
}

fn is_record(record: &Json) -> bool {
    let text = |field: &str| record.get(field).is_some_and(Json::is_string);
    let values = record.get("values").and_then(Json::as_array);
    let values = values.is_some_and(|all| !all.is_empty() && all.iter().all(Json::is_string));
    text("name") && text("type") && values
}
