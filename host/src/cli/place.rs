//! The store of the settings, opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::Misuse;
use crate::settings::{Settings, StorePlace, without_login};
use crate::store::Store;
use crate::store::embedded::{Embedded, Options, Role};
use crate::store::etcd::{Etcd, EtcdOptions};

/// What a folder with an embedded store has in it.
const FILE: &str = "store.db";

/// Opens it for a host, or beside whatever host may be running on it.
pub(super) async fn open(settings: &Settings, role: Role) -> Result<Arc<dyn Store>> {
    match &settings.store {
        StorePlace::Embedded(dir) => Ok(Arc::new(embedded(settings, dir, role).await?)),
        StorePlace::Etcd(address) => {
            let options = etcd(settings, address)?;
            let opened = Etcd::open(options).await;
            Ok(Arc::new(opened.with_context(|| format!("cannot use the store {address}"))?))
        }
    }
}

async fn embedded(settings: &Settings, dir: &Path, role: Role) -> Result<Embedded> {
    if role == Role::Guest {
        let is_there = dir.join(FILE).try_exists();
        let is_there = is_there.with_context(|| {
            format!("cannot look into {}: it is the folder of the host's user", dir.display())
        })?;
        // A folder without one would get one.
        if !is_there {
            bail!(
                "there is no store in {}; `stokehold run` makes one, --store names another",
                dir.display()
            );
        }
    }
    let mut options = Options::new(role);
    options.history_revisions_max = settings.history_revisions_max;
    options.history_bytes_max = settings.history_bytes_max;
    options.file_bytes_max = settings.file_bytes_max;
    let dir = dir.to_owned();
    let opened = tokio::task::spawn_blocking(move || Embedded::open(&dir, options));
    Ok(opened.await.context("cannot open the store")??)
}

/// How the etcd of the settings is reached.
pub(super) fn etcd(settings: &Settings, address: &str) -> Result<EtcdOptions> {
    let parsed = address.parse().map_err(|error| {
        Misuse(
            anyhow::Error::from(error).context(format!("{} is no store", without_login(address))),
        )
    })?;
    let pairs = [
        (
            "etcd_user",
            settings.etcd_user.is_some(),
            "etcd_password",
            settings.etcd_password.is_some(),
        ),
        (
            "etcd_cert_file",
            settings.etcd_cert_file.is_some(),
            "etcd_key_file",
            settings.etcd_key_file.is_some(),
        ),
    ];
    for (one, has_one, other, has_other) in pairs {
        if has_one != has_other {
            let missing = if has_one { other } else { one };
            return Err(
                Misuse(anyhow!("{one} and {other} go together: {missing} is missing")).into()
            );
        }
    }
    let password = settings.etcd_password.as_ref().map(|password| password.reveal().to_owned());
    let mut options = EtcdOptions::new(parsed);
    options.user = settings.etcd_user.clone().zip(password.map(Into::into));
    options.ca_file.clone_from(&settings.etcd_ca_file);
    options.cert_file.clone_from(&settings.etcd_cert_file);
    options.key_file.clone_from(&settings.etcd_key_file);
    options.request_timeout = Duration::from_millis(settings.etcd_timeout_ms);
    Ok(options)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::Flags;

    #[test]
    fn credentials_come_in_pairs_and_addresses_are_checked_before_anything_is_asked() {
        let told = |address: &str, settings: &[(&str, &str)]| {
            let values = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let flags = Flags { values: values.collect(), ..Flags::default() };
            let settings = Settings::from_sources(&flags, &BTreeMap::new(), None).unwrap();
            let error = etcd(&settings, address).err();
            assert!(error.as_ref().is_none_or(anyhow::Error::is::<Misuse>));
            error.map(|error| error.to_string())
        };
        assert_eq!(told("etcd://a:1", &[]), None);
        let one = told("etcd://a:1", &[("etcd_user", "me")]).unwrap();
        assert_eq!(one, "etcd_user and etcd_password go together: etcd_password is missing");
        let key = told("etcd://a:1", &[("etcd_key_file", "k.pem")]).unwrap();
        assert_eq!(key, "etcd_cert_file and etcd_key_file go together: etcd_cert_file is missing");
        let login = told("etcd://me:hush@a:1", &[]).unwrap();
        assert!(login.starts_with("etcd://…@a:1 is no store: user and password"), "{login}");
        let none = told("etcd://a:x", &[]).unwrap();
        assert!(none.starts_with("etcd://a:x is no store: the port of a is none"), "{none}");
    }
}
