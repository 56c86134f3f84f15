//! The handler: what there is to download, and how one file is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use syncmgr::per_item::{AsyncPerItem, Error, HandlerBuilder, TaskContext};
use syncmgr::{ItemId, ItemList, ItemName, SyncHandler, SyncItem, Uuid};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::server;

/// Files of a server, and the directory that they go to.
pub struct Downloads {
    pub server: SocketAddr,
    pub names: Vec<String>,
    pub directory: PathBuf,
}

pub fn id(name: &str) -> ItemId {
    ItemId::from_name(Uuid::NAMESPACE_URL, name.as_bytes())
}

/// A handler that does `at_once` downloads at the same time, on this runtime.
pub fn handler(source: Downloads, runtime: Handle, at_once: usize) -> Arc<dyn SyncHandler> {
    let name = "Downloads".parse().expect("a short name");
    let spawn = move |task| drop(runtime.spawn(task));
    HandlerBuilder::new_async(name, source, spawn)
        .workers(at_once)
        .build()
}

impl AsyncPerItem for Downloads {
    fn items(&self) -> Result<ItemList, Error> {
        let item = |name: &String| SyncItem::new(id(name), ItemName::truncate_start(name));
        Ok(ItemList::Complete(self.names.iter().map(item).collect()))
    }

    async fn synchronize(&self, work: TaskContext) -> Result<(), Error> {
        let name = work.item().name.as_str();
        work.set(0).await?;
        // Deleted when it is dropped, which a cancel does too: there is never a half file under the name.
        let part = NamedTempFile::new_in(&self.directory)?;
        // Not opened by its name: tokio does that on another thread, where it may come after a cancel has deleted the file.
        let file = File::from_std(part.as_file().try_clone()?);
        work.until_cancelled(self.fetch(name, file, &work))
            .await??;
        part.persist(self.directory.join(name))?;
        Ok(())
    }
}

impl Downloads {
    /// It need not look for a cancel: wherever it waits, it is dropped there.
    async fn fetch(&self, name: &str, mut file: File, work: &TaskContext) -> Result<(), Error> {
        let mut socket = TcpStream::connect(self.server).await?;
        socket.write_all(format!("{name}\n").as_bytes()).await?;
        let length = socket.read_u64().await?;
        if length == server::MISSING {
            return Err(format!("the server has no {name:?}").into());
        }
        work.max(length).await?;
        let mut buffer = vec![0; 64 * 1024];
        let mut left = length;
        while left > 0 {
            let count = socket.read(&mut buffer).await?;
            if count == 0 {
                return Err(format!("the server hung up with {left} bytes to come").into());
            }
            file.write_all(&buffer[..count]).await?;
            left = left.saturating_sub(count as u64);
            work.advance(count as u64).await?;
        }
        file.sync_all().await?;
        Ok(())
    }
}
