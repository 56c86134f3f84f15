//! Connections that stay open until everybody has finished.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::CallbackError;
use crate::util::panic::{Foreign, panicked};
use crate::util::sync::Mutex;

/// Opens what a handler asks for by `establish_connection`: a dial-up line once, a VPN or a mounted share today.
///
/// Closures are connectors too:
///
/// ```
/// use syncmgr::{CallbackError, Session, SyncCallback};
///
/// let session = Session::builder()
///     .connector(|name: Option<&str>| match name {
///         Some("office") => Ok(Box::new("an open line") as Box<dyn std::any::Any + Send>),
///         _ => Err(CallbackError::InvalidArgument),
///     })
///     .build()?;
/// assert_eq!(session.establish_connection(Some("office")), Ok(()));
/// assert_eq!(session.establish_connection(None), Err(CallbackError::InvalidArgument));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Connector: Send + Sync {
    /// Opens the connection of this name; none: the default connection. Dropping the box closes it.
    ///
    /// Called on the handler's thread that asked, with no lock held; it may block, and it may call the session.
    ///
    /// A panic is contained. The session logs it as an error, and the handler receives
    /// [`CallbackError::NotConnected`].
    ///
    /// # Errors
    ///
    /// What the handler is to be answered: [`CallbackError::InvalidArgument`] for a name that does not exist,
    /// [`CallbackError::NotConnected`] for a connection that cannot be made.
    fn open(&self, connection: Option<&str>) -> Result<Box<dyn Any + Send>, CallbackError>;
}

impl<F> Connector for F
where
    F: Fn(Option<&str>) -> Result<Box<dyn Any + Send>, CallbackError> + Send + Sync,
{
    fn open(&self, connection: Option<&str>) -> Result<Box<dyn Any + Send>, CallbackError> {
        self(connection)
    }
}

/// A connector and what it has opened. It is a cheap handle: sessions that share connections hold clones of it.
///
/// A session gives its clone back when it is released. With the last clone, the open connections are closed (rule
/// M08), in the order in which they were opened.
///
/// ```
/// use std::any::Any;
/// use syncmgr::{Connections, Session, SyncCallback};
///
/// let line = |_: Option<&str>| Ok(Box::new("an open line") as Box<dyn Any + Send>);
/// let shared = Connections::new(line);
/// let mail = Session::builder().connections(shared.clone()).build()?;
/// let files = Session::builder().connections(shared.clone()).build()?;
/// mail.establish_connection(Some("office"))?;
/// mail.driver().release();
/// // It is still open, because `files` has not finished.
/// assert_eq!(format!("{shared:?}"), "Connections { open: 1, .. }");
/// # files.driver().release();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Connections(Arc<Inner>);

struct Inner {
    /// Before the connector, so that it is dropped before it: a connection may need it to close.
    open: Mutex<Vec<Foreign<Box<dyn Any + Send>>>>,
    connector: Foreign<Box<dyn Connector>>,
}

impl Connections {
    /// No connection yet, and this connector to open them.
    #[must_use]
    pub fn new(connector: impl Connector + 'static) -> Self {
        Self(Arc::new(Inner {
            open: Mutex::new(Vec::new()),
            connector: Foreign::new(Box::new(connector)),
        }))
    }

    /// Opens a connection.
    ///
    /// The outer error is the text of a panic: the connector is the host's code, so the handler must
    /// not be blamed for it.
    pub(super) fn open(
        &self,
        connection: Option<&str>,
    ) -> Result<Result<(), CallbackError>, String> {
        // Foreign code: no lock is held.
        let opened = catch_unwind(AssertUnwindSafe(|| self.0.connector.open(connection)));
        Ok(opened.map_err(panicked)?.map(|opened| {
            self.0.open.lock().push(Foreign::new(opened));
        }))
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("open", &self.0.open.lock().len())
            .finish_non_exhaustive()
    }
}
