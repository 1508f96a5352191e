//! Certificates for one etcd and its clients.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Where a client finds what it needs, in PEM files.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// Who signed all of them.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// And its key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes a folder with a signer, a server on loopback (`server.pem`, `server.key`) and a
    /// client. Made twice, neither trusts the other.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let file = |name: &str| dir.join(name);
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        std::fs::write(file("ca.pem"), params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);
        for name in ["server", "client"] {
            let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
            // etcd calls itself with its own certificate.
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate()?;
            let signed = params.signed_by(&key, &issuer)?;
            std::fs::write(file(&format!("{name}.pem")), signed.pem())?;
            std::fs::write(file(&format!("{name}.key")), key.serialize_pem())?;
        }
        Ok(Self { ca: file("ca.pem"), cert: file("client.pem"), key: file("client.key") })
    }
}
