//! The table `[plugins.<name>.keystone]`: who logs in for a plugin at OpenStack.

use std::collections::BTreeSet;

use super::keys::source;
use super::{Result, Source, anyhow, bail, ensure, number_from};
use crate::domain::Scope;

/// A login, and where its secret is kept.
pub type Keystone = crate::domain::Keystone<Source>;
type Identity = crate::domain::Identity<Source>;

const KEYS: [&str; 15] = [
    "url",
    "user",
    "password",
    "user_domain",
    "application_credential_id",
    "application_credential_secret",
    "scope",
    "project",
    "project_domain",
    "region",
    "interface",
    "services",
    "timeout_ms",
    "renew_before_ms",
    "tokens_max",
];
const INTERFACES: [&str; 3] = ["public", "internal", "admin"];
/// Least, usual and most.
const TIMEOUT_MS: (u64, u64, u64) = (100, 10_000, 600_000);
const RENEW_BEFORE_MS: (u64, u64, u64) = (0, 60_000, 86_400_000);
const TOKENS_MAX: (u64, u64, u64) = (1, 1_000, 100_000);

/// Reads the table; `origin` is its name in messages.
pub(super) fn keystone(origin: &str, value: toml::Value) -> Result<Keystone> {
    let toml::Value::Table(mut keys) = value else {
        bail!("{origin} must be a table, as [plugins.heat_worker.keystone]");
    };
    if let Some(unknown) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        bail!("{origin}.{unknown}: unknown key; known are {}", KEYS.join(", "));
    }
    let table = &mut Table { origin, keys: &mut keys };
    let url = table.needed("url", "Keystone's address, as \"https://keystone:5000/v3\"")?;
    let url = url.trim_end_matches('/').to_owned();
    let is_address = ["http://", "https://"].iter().any(|start| url.starts_with(start));
    ensure!(
        is_address && !url.contains(['@', ' ', '?', '#']),
        "{origin}.url must be an address without user and password, as \"https://keystone:5000/v3\""
    );
    let identity = identity(table)?;
    let scope = scope(table, &identity)?;
    let region = table.text("region")?;
    let interface = table.text("interface")?.unwrap_or_else(|| "public".to_owned());
    ensure!(
        INTERFACES.contains(&interface.as_str()),
        "{origin}.interface must be {}",
        INTERFACES.join(", ")
    );
    let services = services(table)?;
    Ok(Keystone {
        url,
        identity,
        scope,
        region,
        interface,
        services,
        timeout_ms: table.number("timeout_ms", TIMEOUT_MS)?,
        renew_before_ms: table.number("renew_before_ms", RENEW_BEFORE_MS)?,
        tokens_max: table.number("tokens_max", TOKENS_MAX)?,
    })
}

fn identity(table: &mut Table<'_>) -> Result<Identity> {
    let origin = table.origin;
    let user = table.text("user")?;
    let id = table.text("application_credential_id")?;
    let domain = table.text("user_domain")?;
    match (user, id) {
        (Some(user), None) => Ok(Identity::Password {
            user,
            domain: domain.unwrap_or_else(|| "Default".to_owned()),
            password: table.secret("password")?,
        }),
        (None, Some(id)) => {
            ensure!(
                domain.is_none(),
                "{origin}.user_domain has no meaning beside application_credential_id"
            );
            let secret = table.secret("application_credential_secret")?;
            Ok(Identity::ApplicationCredential { id, secret })
        }
        _ => bail!(
            "{origin} must say who asks: user and password, or application_credential_id and \
             application_credential_secret"
        ),
    }
}

/// A project that is named is the one for all, unless the scope says otherwise.
fn scope(table: &mut Table<'_>, identity: &Identity) -> Result<Scope> {
    let origin = table.origin;
    let (scope, name) = (table.text("scope")?, table.text("project")?);
    let domain = table.text("project_domain")?;
    if matches!(identity, Identity::ApplicationCredential { .. }) {
        ensure!(
            scope.is_none() && name.is_none() && domain.is_none(),
            "{origin}: an application credential is for the project it was made for: leave out \
             scope, project and project_domain"
        );
        return Ok(Scope::Own);
    }
    match (scope.as_deref(), name, domain) {
        (Some("tenant") | None, None, None) => Ok(Scope::Tenant),
        (Some("project") | None, Some(name), domain) => {
            Ok(Scope::Project { name, domain: domain.unwrap_or_else(|| "Default".to_owned()) })
        }
        (Some("tenant"), ..) => bail!(
            "{origin}: scope \"tenant\" is the project of each request: leave out project and \
             project_domain"
        ),
        (Some("project") | None, None, _) => {
            bail!("{origin}.project is missing: it names the project")
        }
        (Some(_), ..) => bail!("{origin}.scope must be \"tenant\" or \"project\""),
    }
}

fn services(table: &mut Table<'_>) -> Result<BTreeSet<String>> {
    let wrong = format!(
        "{}.services must be a list of types of services, as [\"orchestration\"]",
        table.origin
    );
    let Some(value) = table.keys.remove("services") else {
        return Ok(BTreeSet::from(["orchestration".to_owned()]));
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let texts = value.as_array().into_iter().flatten().map(|text| {
        text.as_str().filter(|text| !text.is_empty() && text.chars().all(fits)).map(str::to_owned)
    });
    let services = texts.collect::<Option<BTreeSet<_>>>().filter(|all| !all.is_empty());
    services.ok_or_else(|| anyhow!(wrong))
}

/// What is left of the table.
struct Table<'a> {
    origin: &'a str,
    keys: &'a mut toml::Table,
}

impl Table<'_> {
    fn text(&mut self, key: &str) -> Result<Option<String>> {
        match self.keys.remove(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => bail!("{}.{key} must be a text in quotes", self.origin),
        }
    }

    fn needed(&mut self, key: &str, what: &str) -> Result<String> {
        let text = self.text(key)?;
        text.ok_or_else(|| anyhow!("{}.{key} is missing: it is {what}", self.origin))
    }

    /// Never in the settings file itself.
    fn secret(&mut self, key: &str) -> Result<Source> {
        let place = format!("{}.{key}", self.origin);
        let wrong =
            || anyhow!("{place} must be {{ file = \"/run/secrets/x\" }} or {{ env = \"X\" }}");
        let value = self.keys.remove(key).ok_or_else(wrong)?;
        match source(&place, value) {
            Ok(Source::Text(_)) | Err(_) => Err(wrong()),
            kept => kept,
        }
    }

    fn number(&mut self, key: &str, (least, usual, most): (u64, u64, u64)) -> Result<u64> {
        let Some(value) = self.keys.remove(key) else { return Ok(usual) };
        let number = value.as_integer().and_then(|n| u64::try_from(n).ok());
        let number = number.filter(|n| (least..=most).contains(n));
        number.ok_or_else(|| anyhow!("{}.{key} must be {}", self.origin, number_from(least, most)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Keystone, String> {
        let table: toml::Table = toml::from_str(text).unwrap();
        keystone("k", toml::Value::Table(table)).map_err(|why| why.to_string())
    }

    const USER: &str = "url = \"http://k:5000/v3/\"\nuser = \"heat\"\npassword = { env = \"P\" }\n";
    const CREDENTIAL: &str = "url = \"https://k/v3\"\napplication_credential_id = \"i\"\n\
                              application_credential_secret = { file = \"/s\" }\n";

    #[test]
    fn a_user_asks_for_the_project_of_each_request_unless_one_is_named() {
        let read_a = read(USER).unwrap();
        assert_eq!((read_a.url.as_str(), &read_a.scope), ("http://k:5000/v3", &Scope::Tenant));
        let password = Source::Variable("P".to_owned());
        let (user, domain) = ("heat".to_owned(), "Default".to_owned());
        assert_eq!(read_a.identity, Identity::Password { user, domain, password });
        assert_eq!((read_a.interface.as_str(), read_a.region), ("public", None));
        assert_eq!(read_a.services, BTreeSet::from(["orchestration".to_owned()]));
        let bounds = (read_a.timeout_ms, read_a.renew_before_ms, read_a.tokens_max);
        assert_eq!(bounds, (10_000, 60_000, 1_000));
        let read_b = read(&format!("{USER}project = \"service\"\nregion = \"R\"")).unwrap();
        let (name, domain) = ("service".to_owned(), "Default".to_owned());
        assert_eq!(read_b.scope, Scope::Project { name, domain });
        assert_eq!(read_b.region.as_deref(), Some("R"));
        assert_eq!(read(&format!("{USER}scope = \"tenant\"")).unwrap().scope, Scope::Tenant);
    }

    #[test]
    fn an_application_credential_has_a_project_of_its_own() {
        let read_a = read(CREDENTIAL).unwrap();
        let secret = Source::File("/s".into());
        assert_eq!(read_a.scope, Scope::Own);
        assert_eq!(read_a.identity, Identity::ApplicationCredential { id: "i".to_owned(), secret });
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_key_and_without_the_value() {
        let plain = "url = \"http://k\"\nuser = \"u\"\npassword = \"hush\"";
        let secret = "k.password must be { file = \"/run/secrets/x\" } or { env = \"X\" }";
        let who = "k must say who asks: user and password, or application_credential_id and \
                   application_credential_secret";
        let url = "k.url must be an address without user and password, as \
                   \"https://keystone:5000/v3\"";
        for (text, words) in [
            (
                "user = \"u\"",
                "k.url is missing: it is Keystone's address, as \"https://keystone:5000/v3\"",
            ),
            ("url = \"http://me:hush@k\"", url),
            ("url = \"keystone\"", url),
            ("url = \"http://k\"", who),
            (&format!("{USER}application_credential_id = \"i\""), who),
            ("url = \"http://k\"\nuser = \"u\"", secret),
            (plain, secret),
            (
                &format!("{USER}tenant = \"t\""),
                &format!("k.tenant: unknown key; known are {}", KEYS.join(", ")),
            ),
            (&format!("{USER}scope = \"domain\""), "k.scope must be \"tenant\" or \"project\""),
            (&format!("{USER}scope = \"project\""), "k.project is missing: it names the project"),
            (
                &format!("{USER}scope = \"tenant\"\nproject = \"p\""),
                "k: scope \"tenant\" is the project of each request: leave out project and project_domain",
            ),
            (
                &format!("{CREDENTIAL}project = \"p\""),
                "k: an application credential is for the project it was made for: leave out scope, project \
                 and project_domain",
            ),
            (
                &format!("{CREDENTIAL}user_domain = \"d\""),
                "k.user_domain has no meaning beside application_credential_id",
            ),
            (
                &format!("{USER}interface = \"outer\""),
                "k.interface must be public, internal, admin",
            ),
            (&format!("{USER}region = 5"), "k.region must be a text in quotes"),
            (
                &format!("{USER}services = []"),
                "k.services must be a list of types of services, as [\"orchestration\"]",
            ),
            (
                &format!("{USER}timeout_ms = 5"),
                &format!("k.timeout_ms must be {}", number_from(100, 600_000)),
            ),
            (
                &format!("{USER}tokens_max = 0"),
                &format!("k.tokens_max must be {}", number_from(1, 100_000)),
            ),
        ] {
            assert_eq!(read(text).err().as_deref(), Some(words), "{text}");
        }
        assert_eq!(
            keystone("k", 5.into()).unwrap_err().to_string(),
            "k must be a table, as [plugins.heat_worker.keystone]"
        );
    }
}
