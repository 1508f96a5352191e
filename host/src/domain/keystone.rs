//! How a host logs in at OpenStack for a plugin.

use std::collections::BTreeSet;

/// How a plugin's requests to OpenStack are authorised; the section `[plugins.<name>.keystone]`. A secret is an `S`:
/// where it is kept, or itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystone<S> {
    /// Keystone's address without a final slash: `https://keystone:5000/v3`.
    pub url: String,
    /// Who asks.
    pub identity: Identity<S>,
    /// What the tokens are for.
    pub scope: Scope,
    /// The region of the endpoints; `None` takes any.
    pub region: Option<String>,
    /// Which of its endpoints a service is asked at: `public`, `internal` or `admin`.
    pub interface: String,
    /// The services that may be asked, by type: `orchestration`.
    pub services: BTreeSet<String>,
    /// Milliseconds that a request to Keystone may take.
    pub timeout_ms: u64,
    /// Milliseconds before its end that a token is no longer used.
    pub renew_before_ms: u64,
    /// Tokens that are kept; those that were not asked for longest go first.
    pub tokens_max: u64,
}

/// Who asks for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity<S> {
    /// A user, by the names of user and domain.
    Password {
        /// The user's name.
        user: String,
        /// The name of the user's domain.
        domain: String,
        /// The password.
        password: S,
    },
    /// An application credential.
    ApplicationCredential {
        /// Its id.
        id: String,
        /// Its secret.
        secret: S,
    },
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The project that the request names.
    Tenant,
    /// One project for all requests.
    Project {
        /// Its name.
        name: String,
        /// The name of its domain.
        domain: String,
    },
    /// What the application credential was made for.
    Own,
}

impl<S> Keystone<S> {
    /// What it logs in with.
    pub fn secret(&self) -> &S {
        match &self.identity {
            Identity::Password { password, .. } => password,
            Identity::ApplicationCredential { secret, .. } => secret,
        }
    }

    /// The same with its secret in another form. `change` gets the key under which it is set.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn with_secret<T, E>(
        self,
        change: impl FnOnce(&'static str, S) -> Result<T, E>,
    ) -> Result<Keystone<T>, E> {
        let identity = match self.identity {
            Identity::Password { user, domain, password } => {
                Identity::Password { user, domain, password: change("password", password)? }
            }
            Identity::ApplicationCredential { id, secret } => {
                let secret = change("application_credential_secret", secret)?;
                Identity::ApplicationCredential { id, secret }
            }
        };
        let Self { url, scope, region, interface, services, .. } = self;
        let Self { timeout_ms, renew_before_ms, tokens_max, .. } = self;
        Ok(Keystone {
            url,
            identity,
            scope,
            region,
            interface,
            services,
            timeout_ms,
            renew_before_ms,
            tokens_max,
        })
    }
}
