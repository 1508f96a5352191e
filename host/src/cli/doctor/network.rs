//! Heat and all else that plugins are granted: whether it answers.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use http::{HeaderMap, Uri};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Patient;
use super::finding::Finding;
use crate::cli::grants;
use crate::http_client::HttpClient;
use crate::settings::Settings;

const CHECK: &str = "network";
const NAME_WITHIN: Duration = Duration::from_secs(3);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The handler that cannot do anything without its address.
const HEAT: (&str, &str) = ("heat_worker", "heat_url");

/// How the name of a service of OpenStack ends as a plugin asks for it.
const SERVICE: &str = ".openstack:80";

/// A place that a plugin may want to reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Site {
    plugin: String,
    /// `host:port`.
    place: String,
    /// The setting that names it and what is asked for; a bare grant is asked for its root.
    url: Option<(String, String)>,
    granted: bool,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, place, .. } = self;
        match &self.url {
            Some((key, _)) => write!(f, "{place}, the {key} of {plugin},"),
            None => write!(f, "{place}, granted to {plugin},"),
        }
    }
}

/// What came of trying to reach one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reach {
    /// Its name means nothing.
    Unknown(String),
    /// Nobody listens there.
    Closed(String),
    /// Somebody listens, but does not answer HTTP.
    Mute(String),
    /// The status, and after how many milliseconds.
    Answers(u16, u128),
}

pub(super) async fn look(patient: Patient) -> Vec<Finding> {
    let (sites, mut findings) = sites(&patient.settings);
    findings.extend(without_heat(&patient.settings));
    let client = match HttpClient::new() {
        Ok(client) => client,
        Err(error) => {
            let what = format!("cannot speak HTTP: {error:#}");
            findings.push(Finding::problem(CHECK, what, "report this as a mistake of ours"));
            return findings;
        }
    };
    let mut running = JoinSet::new();
    for site in sites {
        let client = client.clone();
        running.spawn(async move {
            let reach = reach(&client, &site).await;
            (site, reach)
        });
    }
    let mut reached = running.join_all().await;
    reached.sort_by(|(a, _), (b, _)| a.cmp(b));
    if reached.is_empty() && findings.is_empty() {
        findings.push(Finding::ok(CHECK, "no plugin is granted a host"));
    }
    findings.extend(reached.iter().flat_map(|(site, reach)| judge(site, reach)));
    findings
}

/// The places of all plugins, and the addresses among their settings that are none.
fn sites(settings: &Settings) -> (BTreeSet<Site>, Vec<Finding>) {
    let (mut sites, mut findings) = (BTreeSet::new(), Vec::new());
    for (plugin, said) in &grants::said(settings) {
        let mut named = BTreeSet::new();
        for (key, source) in said.config.iter().filter(|(key, _)| key.ends_with("_url")) {
            // What cannot be read keeps the plugin from being loaded, and is told with that.
            let Ok(value) = grants::value(source) else { continue };
            let Some((place, url)) = address(&value) else {
                // The value is not shown: it may hold a password.
                let what = format!("{key} of {plugin} is no http:// or https:// address");
                let remedy = format!("correct `{key}` in [plugins.{plugin}] config");
                findings.push(Finding::problem(CHECK, what, remedy));
                continue;
            };
            let granted = said.http_places().contains(&*place);
            // Such a name is no host's: Keystone knows where the service is.
            if place.ends_with(SERVICE) && said.keystone.is_some() {
                continue;
            }
            named.insert(place.clone());
            let url = Some((key.clone(), url));
            sites.insert(Site { plugin: plugin.clone(), place, url, granted });
        }
        if let Some((place, url)) = said.keystone.as_ref().and_then(|login| address(&login.url)) {
            let url = Some(("keystone".to_owned(), url));
            sites.insert(Site { plugin: plugin.clone(), place, url, granted: true });
        }
        for place in said.http_places().into_iter().filter(|place| !named.contains(*place)) {
            let (plugin, place) = (plugin.clone(), place.to_owned());
            sites.insert(Site { plugin, place, url: None, granted: true });
        }
    }
    (sites, findings)
}

/// `host:port` and what to ask for, without user and password.
fn address(text: &str) -> Option<(String, String)> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((format!("{host}:{port}"), format!("{scheme}://{host}:{port}{}", uri.path())))
}

/// A handler for Heat that does not know where Heat is.
fn without_heat(settings: &Settings) -> Option<Finding> {
    let (plugin, key) = HEAT;
    let there = settings.handlers.join(format!("{plugin}.wasm")).exists();
    let said = grants::said(settings);
    let knows = said.get(plugin).is_some_and(|said| said.config.contains_key(key));
    (there && !knows).then(|| {
        let what = format!("{plugin} has no {key}: it cannot find Heat");
        let remedy = format!(
            "--config {plugin}.{key}=http://HOST:8004/v1/TENANT and --grant-http {plugin}=HOST:8004, \
             or [plugins.{plugin}] in the settings file"
        );
        Finding::problem(CHECK, what, remedy)
    })
}

async fn reach(client: &HttpClient, site: &Site) -> Reach {
    let found = match timeout(NAME_WITHIN, lookup_host(&site.place)).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(error)) => return Reach::Unknown(error.to_string()),
        Err(_) => {
            let late = format!("the name server did not answer within {} s", NAME_WITHIN.as_secs());
            return Reach::Unknown(late);
        }
    };
    match timeout(CONNECT_WITHIN, TcpStream::connect(found.as_slice())).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Reach::Closed(error.to_string()),
        Err(_) => {
            return Reach::Closed(format!("no connection within {} s", CONNECT_WITHIN.as_secs()));
        }
    }
    let scheme = if site.place.ends_with(":443") { "https" } else { "http" };
    let root = || format!("{scheme}://{}/", site.place);
    let url = site.url.as_ref().map_or_else(root, |(_, url)| url.clone());
    let begun = Instant::now();
    match client.get(&url, &HeaderMap::new(), ANSWER_WITHIN, ANSWER_BYTES_MAX).await {
        Ok((status, _)) => Reach::Answers(status.as_u16(), begun.elapsed().as_millis()),
        Err(error) => Reach::Mute(error.root_cause().to_string()),
    }
}

fn judge(site: &Site, reach: &Reach) -> Vec<Finding> {
    let Site { plugin, place, .. } = site;
    let mut findings = Vec::new();
    if !site.granted {
        let what = format!("{site} is not granted: {plugin} cannot reach it");
        let remedy = format!("--grant-http {plugin}={place}, or `http` in [plugins.{plugin}]");
        findings.push(Finding::problem(CHECK, what, remedy));
    }
    let named = site.url.as_ref().map_or("the grant", |(key, _)| key);
    findings.push(match reach {
        Reach::Unknown(why) => {
            let what = format!("{site} has a name that cannot be resolved: {why}");
            let remedy = format!("correct {named}, or let this machine know the name");
            Finding::problem(CHECK, what, remedy)
        }
        Reach::Closed(why) => {
            let what = format!("{site} cannot be reached: {why}");
            let remedy = format!(
                "start what should listen there, let this machine through, or correct {named}"
            );
            Finding::problem(CHECK, what, remedy)
        }
        Reach::Mute(why) if site.url.is_some() => {
            let what = format!("{site} takes connections, but gives no answer: {why}");
            let remedy = format!("look at its log; is it http or https in {named}?");
            Finding::problem(CHECK, what, remedy)
        }
        // A bare grant does not say what is spoken there.
        Reach::Mute(why) => {
            let what = format!("{site} takes connections, but does not answer plain HTTP: {why}");
            Finding::warning(CHECK, what, "right if it speaks TLS; else look at its log")
        }
        Reach::Answers(status @ 500.., ms) => {
            let what = format!("{site} answers {status} after {ms} ms");
            Finding::warning(CHECK, what, "it is not well: look at its log")
        }
        Reach::Answers(status, ms) => {
            Finding::ok(CHECK, format!("{site} answers ({status} after {ms} ms)"))
        }
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Flags;

    fn settings(grants: &[&str], config: &[&str]) -> Settings {
        let flags = Flags {
            grant_http: grants.iter().map(|&text| text.to_owned()).collect(),
            config: config.iter().map(|&text| text.to_owned()).collect(),
            ..Flags::default()
        };
        let read = Settings::from_sources(&flags, &[].into(), None);
        read.unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn site(url: Option<&str>, granted: bool) -> Site {
        let url = url.map(|key| (key.to_owned(), "http://heat:8004/v1".to_owned()));
        Site { plugin: "heat_worker".into(), place: "heat:8004".into(), url, granted }
    }

    #[test]
    fn an_address_is_told_without_user_and_password() {
        let cases = [
            ("http://Heat:8004/v1/t", Some(("heat:8004", "http://heat:8004/v1/t"))),
            ("http://me:hush@heat/v1", Some(("heat:80", "http://heat:80/v1"))),
            ("https://heat", Some(("heat:443", "https://heat:443/"))),
            ("http://[::1]:8004/", Some(("[::1]:8004", "http://[::1]:8004/"))),
            ("ftp://heat", None),
            ("heat:8004", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(place, url)| (place.to_owned(), url.to_owned()));
            assert_eq!(address(text), expected, "{text}");
        }
    }

    #[test]
    fn places_come_from_grants_and_addresses_and_none_is_asked_twice() {
        let config = ["heat_worker.heat_url=http://heat:8004/v1", "heat_worker.keystone_url=x"];
        let settings = settings(&["heat_worker=heat:8004", "heat_worker=other:1"], &config);
        let (sites, findings) = sites(&settings);
        let bare = Site { place: "other:1".into(), ..site(None, true) };
        assert_eq!(sites, BTreeSet::from([site(Some("heat_url"), true), bare]));
        let told: Vec<_> = findings.iter().map(Finding::told).collect();
        let expected = "problem keystone_url of heat_worker is no http:// or https:// address";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn heat_may_be_known_from_the_settings_or_from_the_plugins_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let mut settings = settings(&[], &[]);
        settings.handlers = folder.path().to_owned();
        assert!(without_heat(&settings).is_none(), "no heat_worker needs no Heat");
        write("heat_worker.wasm", "");
        let told = without_heat(&settings).unwrap().told();
        assert_eq!(told, "problem heat_worker has no heat_url: it cannot find Heat");
        write("heat_worker.toml", "config = { heat_url = \"http://heat:8004/v1\" }");
        assert!(without_heat(&settings).is_none());
    }

    #[test]
    fn what_answers_is_well_and_all_else_says_why_not() {
        let (url, bare) = (site(Some("heat_url"), true), site(None, true));
        let of = "heat:8004, the heat_url of heat_worker,";
        let granted = "heat:8004, granted to heat_worker,";
        let cases = [
            (&url, Reach::Answers(401, 3), format!("ok {of} answers (401 after 3 ms)")),
            (&url, Reach::Answers(503, 3), format!("warning {of} answers 503 after 3 ms")),
            (
                &url,
                Reach::Unknown("no such name".into()),
                format!("problem {of} has a name that cannot be resolved: no such name"),
            ),
            (
                &bare,
                Reach::Closed("refused".into()),
                format!("problem {granted} cannot be reached: refused"),
            ),
            (
                &url,
                Reach::Mute("late".into()),
                format!("problem {of} takes connections, but gives no answer: late"),
            ),
            (
                &bare,
                Reach::Mute("late".into()),
                format!(
                    "warning {granted} takes connections, but does not answer plain HTTP: late"
                ),
            ),
        ];
        for (site, reach, expected) in cases {
            let told: Vec<_> = judge(site, &reach).iter().map(Finding::told).collect();
            assert_eq!(told, [expected]);
        }
        let told = judge(&site(Some("heat_url"), false), &Reach::Answers(200, 1));
        let first = told.first().map(Finding::told).unwrap_or_default();
        assert_eq!(first, format!("problem {of} is not granted: heat_worker cannot reach it"));
    }
}
