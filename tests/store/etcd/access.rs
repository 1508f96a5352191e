//! Certificates, users and their rights.

use std::path::PathBuf;

use etcd_client::{Client, Permission, PermissionType};
use stokehold::store::StoreError;
use stokehold::store::etcd::{Etcd, EtcdOptions};
use stokehold_tests::etcd::{Certificates, Cluster, Setup};

use super::super::place::{put, shown, write};
use super::{open, options};

/// Why a place cannot be opened as it is.
async fn refusal(options: EtcdOptions) -> String {
    let begin = format!("cannot open store {}: ", options.address);
    let refused = Etcd::open(options).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused:?}");
    let text = refused.to_string();
    text.strip_prefix(&begin).unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn with(cluster: &Cluster, certificates: &Certificates) -> EtcdOptions {
    let Certificates { ca, cert, key } = certificates.clone();
    let mut options = options(cluster);
    options.ca_file = Some(ca);
    options.cert_file = Some(cert);
    options.key_file = Some(key);
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_shown_and_checked() {
    let setup = Setup { members: 1, tls: true, args: &[] };
    let Some(cluster) = Cluster::with(setup).unwrap() else { return };
    let good = with(&cluster, cluster.certificates().unwrap());
    let store = open(good.clone()).await;
    let now = write(&*store, [put("/k", "")]).await;
    let mut watch = store.watch(&["/k"], now - 1).await.unwrap();
    assert_eq!(shown(&mut *watch, now).await.len(), 1);

    let dir = tempfile::tempdir().unwrap();
    let strange = Certificates::make(dir.path()).unwrap();
    let failed = "TLS failed; look at ca_file, cert_file and key_file, and at the names in the \
                  server's certificate (";
    let ca_file = Some(strange.ca.clone());
    let told = refusal(EtcdOptions { ca_file, ..good.clone() }).await;
    assert!(told.starts_with(failed), "{told}");
    let told = refusal(EtcdOptions { cert_file: None, key_file: None, ..good.clone() }).await;
    assert!(told.starts_with(failed), "{told}");
    let theirs = EtcdOptions { ca_file: good.ca_file.clone(), ..with(&cluster, &strange) };
    let told = refusal(theirs).await;
    assert!(told.starts_with(failed), "{told}");
}

#[tokio::test]
async fn certificates_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = Certificates::make(dir.path()).unwrap();
    let tls = || EtcdOptions {
        ca_file: Some(made.ca.clone()),
        cert_file: Some(made.cert.clone()),
        key_file: Some(made.key.clone()),
        ..EtcdOptions::new("etcds://127.0.0.1:1".parse().unwrap())
    };
    let none = dir.path().join("none.pem");
    let cases: [(EtcdOptions, String); 5] = [
        (
            EtcdOptions { ca_file: None, ..tls() },
            "etcds:// needs ca_file: who signed the certificates of etcd".to_owned(),
        ),
        (
            EtcdOptions { key_file: None, ..tls() },
            "cert_file and key_file belong together".to_owned(),
        ),
        (
            EtcdOptions { ca_file: Some(none.clone()), ..tls() },
            format!("cannot read {}: No such file or directory (os error 2)", none.display()),
        ),
        (
            EtcdOptions { ca_file: Some(made.key.clone()), ..tls() },
            format!("{} has no CERTIFICATE in PEM form", made.key.display()),
        ),
        (
            EtcdOptions { address: "etcd://127.0.0.1:1".parse().unwrap(), ..tls() },
            "certificates are of use with etcds:// only".to_owned(),
        ),
    ];
    for (options, expected) in cases {
        assert_eq!(refusal(options).await, expected);
    }
    let broken: PathBuf = dir.path().join("broken.pem");
    let text = "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n";
    std::fs::write(&broken, text).unwrap();
    let told = refusal(EtcdOptions { key_file: Some(broken), ..tls() }).await;
    assert!(told.starts_with("the connection cannot be set up ("), "{told}");
}

/// Turns on users: `root`, the host's user who may do everything, and one who may read a little.
async fn admit_users(cluster: &Cluster) {
    let mut client: Client = cluster.client().await.unwrap();
    for (user, password) in [("root", "r00t"), ("host", "hush"), ("guest", "guest")] {
        client.user_add(user, password, None).await.unwrap();
    }
    let all = Permission::new(PermissionType::Readwrite, "\0").with_from_key();
    let some = Permission::new(PermissionType::Read, "/k").with_prefix();
    for (role, permission) in [("all", all), ("some", some)] {
        client.role_add(role).await.unwrap();
        client.role_grant_permission(role, permission).await.unwrap();
    }
    client.role_add("root").await.unwrap();
    for (user, role) in [("root", "root"), ("host", "all"), ("guest", "some")] {
        client.user_grant_role(user, role).await.unwrap();
    }
    client.auth_enable().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_need_their_password_and_their_rights() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    // Without users, etcd does not mind who comes.
    let user = |name: &str, password: &str| {
        let user = Some((name.to_owned(), password.to_owned().into()));
        EtcdOptions { user, ..options(&cluster) }
    };
    let early = open(user("host", "hush")).await;
    write(&*early, [put("/k", "early")]).await;
    admit_users(&cluster).await;
    // The connection was made before there were users.
    write(&*early, [put("/k", "later")]).await;

    let store = open(user("host", "hush")).await;
    let now = write(&*store, [put("/k", "")]).await;
    let mut watch = store.watch(&["/k"], now - 1).await.unwrap();
    assert_eq!(shown(&mut *watch, now).await.len(), 1);

    let told = refusal(user("host", "wrong")).await;
    assert_eq!(told, "etcd knows no such user with this password");
    let told = refusal(options(&cluster)).await;
    assert!(told.starts_with("etcd wants a user and a password ("), "{told}");
    let told = refusal(user("guest", "guest")).await;
    assert!(told.starts_with("etcd denies it to this user: the host's user needs to"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_has_run_out_is_renewed() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    admit_users(&cluster).await;
    let user = Some(("host".to_owned(), "hush".to_owned().into()));
    let store = open(EtcdOptions { user, ..options(&cluster) }).await;
    let lease = store.grant(std::time::Duration::from_mins(1)).await.unwrap();
    let first = write(&*store, [put("/k", "1")]).await;
    let mut watch = store.watch(&["/k"], first - 1).await.unwrap();
    assert_eq!(shown(&mut *watch, first).await.len(), 1);
    // A server that is started again knows none of the tokens it gave.
    cluster.member(0).kill();
    cluster.member(0).start().unwrap();
    let second = write(&*store, [put("/k", "2")]).await;
    assert_eq!(shown(&mut *watch, second).await.len(), 1);
    store.keep(lease).await.unwrap();
    // Nor is a token good that is older than the last change of rights.
    let mut root = cluster.client_as("root", "r00t").await.unwrap();
    root.role_add("another").await.unwrap();
    write(&*store, [put("/k", "3")]).await;
    assert!(store.get("/k").await.unwrap().is_some());
}
