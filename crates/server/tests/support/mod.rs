//! A server on loopback with a store in memory, and clients that speak raw octets to it.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::future::ready;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};
use restante_host::{Clock, HostClock, Rng};
use restante_maildrop::{
    Access, Account, AuthError, Authenticator, Body, BoxFuture, CommitError, DeliverError,
    Delivery, Login, Maildrop, Marks, MessageNumber, OpenError, OwnTerms, Owner, ReadError,
    Snapshot, Store, Terms, memory::MemoryStore,
};
use restante_proto::sasl::Offers;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};
use restante_server::tls::{Certificate, Certificates, Clients, NameField, Tls};
use restante_server::{
    Defence, DefenceLimits, Encryption, IpNet, Limits, Listen, Office, Policy, Server,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// A running server; `stop` ends it.
pub(crate) struct Running {
    pub(crate) store: MemoryStore,
    pub(crate) clock: FastClock,
    pub(crate) pop3: SocketAddr,
    pub(crate) pop3s: SocketAddr,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) tls: Arc<Tls>,
    pub(crate) client: Option<ClientCertificate>,
    connector: TlsConnector,
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) roots: RootCertStore,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What differs from a plain server.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) without_tls: bool,
    pub(crate) allow_cleartext: bool,
    pub(crate) scram: bool,
    pub(crate) digests: bool,
    pub(crate) strict: bool,
    pub(crate) tokens: bool,
    pub(crate) terms: Terms,
    /// Clients are asked for a certificate, and show one with these mail addresses.
    pub(crate) certificate: Option<Vec<String>>,
    pub(crate) gone: Vec<u32>,
    pub(crate) stuck: bool,
    pub(crate) unopenable: Arc<AtomicBool>,
    /// Every body and every commit waits there.
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) limits: Limits,
    pub(crate) policy: Policy,
    pub(crate) proxies: Vec<IpNet>,
    pub(crate) defence: DefenceLimits,
}

impl Running {
    /// Starts a server with the user "fred", password "secret".
    pub(crate) async fn start(setup: Setup) -> Self {
        let store = MemoryStore::default();
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, secret) = (key.cert.pem(), key.signing_key.serialize_pem());
        let certificate = Certificate::from_pem(chain.as_bytes(), secret.as_bytes()).unwrap();
        let certificates = Arc::new(Certificates::new(&certificate, []));
        let mut tls = Tls::new(Arc::clone(&certificates)).unwrap();
        let client = setup.certificate.as_deref().map(ClientCertificate::new);
        if let Some(client) = &client {
            tls = tls.with_clients(&client.clients(), vec![NameField::Email]).unwrap();
        }
        let tls = Arc::new(tls);
        let faults = Faults {
            store: store.clone(),
            gone: setup.gone,
            stuck: setup.stuck,
            unopenable: setup.unopenable,
            gate: setup.gate,
        };
        let clock = FastClock::default();
        let office = Office {
            store: Arc::new(faults),
            authenticator: Arc::new(OnlyFred {
                scram: setup.scram,
                digests: setup.digests,
                tokens: setup.tokens,
                terms: setup.terms,
            }),
            clock: Arc::new(clock.clone()),
            rng: Arc::new(Zeros),
            defence: Arc::new(Defence::new(setup.defence, Arc::new(HostClock))),
            tls: (!setup.without_tls).then(|| Arc::clone(&tls)),
            allow_cleartext: setup.allow_cleartext,
            policy: setup.policy,
            limits: setup.limits,
        };
        let any = "127.0.0.1:0".parse().unwrap();
        let listen = [("pop3", Encryption::StartTls), ("pop3s", Encryption::Implicit)].map(
            |(name, encryption)| {
                let (name, strict) = (name.to_owned(), setup.strict);
                let proxies = setup.proxies.clone();
                Listen { name, encryption, address: any, strict, proxies }
            },
        );
        let server = Server::bind(listen).await.unwrap();
        let addresses: Vec<_> = server.listening().map(|listen| listen.address).collect();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(office, async {
            let _ = stopped.await;
        }));
        let mut roots = RootCertStore::empty();
        roots.add(key.cert.der().clone()).unwrap();
        let connector = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone());
        let connector = match &client {
            Some(ClientCertificate { chain, key, .. }) => {
                connector.with_client_auth_cert(chain.clone(), key.clone_key()).unwrap()
            }
            None => connector.with_no_client_auth(),
        };
        Self {
            store,
            clock,
            pop3: addresses[0],
            pop3s: addresses[1],
            certificates,
            tls,
            client,
            connector: TlsConnector::from(Arc::new(connector)),
            roots,
            stop,
            task,
        }
    }

    /// Connects without TLS.
    pub(crate) async fn connect(&self) -> Box<dyn Stream> {
        Box::new(TcpStream::connect(self.pop3).await.unwrap())
    }

    /// Connects to where TLS is expected from the first octet.
    pub(crate) async fn connect_implicit(&self) -> Box<dyn Stream> {
        Box::new(TcpStream::connect(self.pop3s).await.unwrap())
    }

    /// Connects with TLS from the first octet.
    pub(crate) async fn connect_tls(&self) -> Box<dyn Stream> {
        self.start_tls(self.connect_implicit().await).await
    }

    /// Does the handshake on a connection.
    pub(crate) async fn start_tls(&self, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        let name = ServerName::try_from("localhost").unwrap();
        Box::new(self.connector.connect(name, stream).await.unwrap())
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// What a client shows, and who signed it.
pub(crate) struct ClientCertificate {
    /// PEM.
    pub(crate) authority: String,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// A certificate with these mail addresses, of an authority of its own.
    pub(crate) fn new(mails: &[String]) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let signed = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let mut params = CertificateParams::default();
        let mail = |mail: &String| SanType::Rfc822Name(mail.as_str().try_into().unwrap());
        params.subject_alt_names = mails.iter().map(mail).collect();
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Self { authority: signed.pem(), chain: vec![leaf.der().clone()], key }
    }

    /// Those who take it.
    pub(crate) fn clients(&self) -> Clients {
        Clients::from_pem(self.authority.as_bytes(), None, false).unwrap()
    }
}

/// The machine's clock, which a test can put forward.
#[derive(Debug, Clone, Default)]
pub(crate) struct FastClock(Arc<Mutex<Duration>>);

impl FastClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for FastClock {
    fn monotonic(&self) -> Instant {
        HostClock.monotonic() + *self.0.lock().unwrap()
    }

    fn wall(&self) -> SystemTime {
        HostClock.wall() + *self.0.lock().unwrap()
    }
}

/// Holds calls up until a test lets them pass, one by one.
#[derive(Debug)]
pub(crate) struct Gate {
    arrived: Semaphore,
    passes: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { arrived: Semaphore::new(0), passes: Semaphore::new(0) })
    }

    /// Waits until a call is held up.
    pub(crate) async fn arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one call pass.
    pub(crate) fn let_pass(&self) {
        self.passes.add_permits(1);
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        self.passes.acquire().await.unwrap().forget();
    }
}

/// A connection of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Sends octets; a server that closed meanwhile is not an error here.
pub(crate) async fn send(stream: &mut dyn Stream, octets: &[u8]) {
    let _ = stream.write_all(octets).await;
    let _ = stream.flush().await;
}

/// Reads until `lines` lines have come, or the end.
pub(crate) async fn read_lines(stream: &mut dyn Stream, lines: usize) -> Vec<u8> {
    let mut said = Vec::new();
    while said.iter().filter(|&&octet| octet == b'\n').count() < lines {
        match stream.read_u8().await {
            Ok(octet) => said.push(octet),
            Err(_) => break,
        }
    }
    said
}

/// Reads to the end of the connection.
pub(crate) async fn read_to_end(stream: &mut dyn Stream) -> Vec<u8> {
    let mut said = Vec::new();
    // A reset after a close with unread input is an end, too.
    let _ = stream.read_to_end(&mut said).await;
    said
}

#[derive(Debug)]
struct OnlyFred {
    scram: bool,
    digests: bool,
    tokens: bool,
    terms: Terms,
}

impl OnlyFred {
    fn fred(&self) -> Account {
        Account { owner: Owner::new("fred").unwrap(), terms: self.terms.clone() }
    }
}

impl Authenticator for OnlyFred {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>> {
        Box::pin(async move {
            match login {
                Login::Password { user, password }
                    if user == "fred" && password.expose() == b"secret" =>
                {
                    Ok(self.fred())
                }
                Login::Proof { user, proven: true } if user == "fred" => Ok(self.fred()),
                Login::Digest { user, digest } if user == "fred" && digest.fits(b"secret") => {
                    Ok(self.fred())
                }
                Login::Token { user, token, .. }
                    if user.as_deref().is_none_or(|user| user == "fred")
                        && token.expose() == "letmein" =>
                {
                    Ok(self.fred())
                }
                Login::Certificate { .. } if login.certified_user() == Some("fred") => {
                    Ok(self.fred())
                }
                _ => Err(AuthError::Refused),
            }
        })
    }

    fn own_terms(&self) -> BoxFuture<'_, OwnTerms> {
        Box::pin(ready(OwnTerms::of(&self.terms)))
    }

    fn offers(&self) -> BoxFuture<'_, Offers> {
        Box::pin(ready(Offers {
            scram_sha_256: self.scram,
            scram_sha_1: self.scram,
            cram_md5: self.digests,
            apop: self.digests,
            tokens: self.tokens,
        }))
    }

    fn scram_keys<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> BoxFuture<'a, Result<ScramKeys, AuthError>> {
        let password = if user == "fred" { "secret" } else { "nobody's" };
        let (salt, iterations) = (b"salt".to_vec(), NonZero::<u32>::MIN);
        let keys = ScramKeys::derive(hash, password.as_bytes(), salt, iterations);
        Box::pin(ready(Ok(keys)))
    }
}

/// No randomness: what a dialogue shows must come again.
#[derive(Debug)]
struct Zeros;

impl Rng for Zeros {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        bytes.fill(0);
        Ok(())
    }
}

/// A store whose messages vanish and whose commits fail.
#[derive(Debug)]
struct Faults {
    store: MemoryStore,
    gone: Vec<u32>,
    stuck: bool,
    unopenable: Arc<AtomicBool>,
    gate: Option<Arc<Gate>>,
}

#[derive(Debug)]
struct FaultyMaildrop {
    maildrop: Box<dyn Maildrop>,
    gone: Vec<u32>,
    stuck: bool,
    gate: Option<Arc<Gate>>,
}

impl Store for Faults {
    fn open<'a>(
        &'a self,
        owner: &'a Owner,
        access: Access,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Maildrop>, OpenError>> {
        Box::pin(async move {
            let maildrop = self.store.open(owner, access, holder).await?;
            if self.unopenable.load(Ordering::Relaxed) {
                return Err(OpenError::Permanent(std::io::ErrorKind::PermissionDenied.into()));
            }
            let (gone, gate) = (self.gone.clone(), self.gate.clone());
            let maildrop = FaultyMaildrop { maildrop, gone, stuck: self.stuck, gate };
            Ok(Box::new(maildrop) as Box<dyn Maildrop>)
        })
    }

    fn deliver<'a>(
        &'a self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Box<dyn Delivery>, DeliverError>> {
        self.store.deliver(owner)
    }
}

impl Maildrop for FaultyMaildrop {
    fn snapshot(&self) -> &Snapshot {
        self.maildrop.snapshot()
    }

    fn body(&mut self, number: MessageNumber) -> BoxFuture<'_, Result<Body, ReadError>> {
        if self.gone.contains(&number.to_u32()) {
            return Box::pin(async { Err(ReadError::Gone) });
        }
        Box::pin(async move {
            if let Some(gate) = &self.gate {
                gate.pass().await;
            }
            self.maildrop.body(number).await
        })
    }

    fn arrived_before(
        &mut self,
        time: SystemTime,
    ) -> BoxFuture<'_, Result<Vec<MessageNumber>, ReadError>> {
        self.maildrop.arrived_before(time)
    }

    fn commit(self: Box<Self>, marks: Marks) -> BoxFuture<'static, Result<(), CommitError>> {
        if self.stuck {
            let error = std::io::Error::other("stuck");
            return Box::pin(async { Err(CommitError::Temporary(error)) });
        }
        Box::pin(async move {
            if let Some(gate) = &self.gate {
                gate.pass().await;
            }
            self.maildrop.commit(marks).await
        })
    }
}
