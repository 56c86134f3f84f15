//! A manager whose handlers are recorded, so that each test of it is judged by the host's rules.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use syncmgr::testing::Recorder;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    HandlerId, ItemId, ItemStatus, ManagerError, Registration, SyncHandler, SyncManager,
};

use crate::id;

pub fn handler_id(n: u128) -> HandlerId {
    HandlerId::from_u128(n)
}

/// What [`remove`] returns for a handler that stops in time.
pub const REMOVED: (Result<Registration, ManagerError>, bool) = (Ok(Registration::new()), true);

/// Unregisters a handler, then stops what is left of it.
pub fn remove(manager: &SyncManager, n: u128) -> (Result<Registration, ManagerError>, bool) {
    let registration = manager.unregister(handler_id(n));
    (registration, manager.stop_handler(handler_id(n)))
}

/// A script of one item that succeeds.
pub fn script(n: u128) -> Script {
    Script::new()
        .item(id(n), "item")
        .synchronize(succeed(id(n)))
}

/// The steps of an item that succeeds.
pub fn succeed(item: ItemId) -> [Step; 2] {
    [
        Step::report(item).status(ItemStatus::Updating),
        Step::report(item).status(ItemStatus::Succeeded),
    ]
}

/// The recorders of every handler that was made. Each test is judged by the host's rules: at the latest when the one that it
/// made is dropped.
pub struct Records {
    all: Arc<Mutex<Vec<Recorder>>>,
    /// Not a clone in some factory.
    is_the_tests: bool,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            all: Arc::default(),
            is_the_tests: true,
        }
    }
}

impl Clone for Records {
    fn clone(&self) -> Self {
        Self {
            all: Arc::clone(&self.all),
            is_the_tests: false,
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        if self.is_the_tests && !std::thread::panicking() {
            self.judge();
        }
    }
}

impl Records {
    pub fn register(&self, manager: &SyncManager, n: u128, script: Script) {
        self.register_for(manager, n, Registration::new(), script);
    }

    pub fn register_for(
        &self,
        manager: &SyncManager,
        n: u128,
        flags: Registration,
        script: Script,
    ) {
        let records = self.clone();
        let make = move || records.record(script.handler());
        let registered = manager.register(handler_id(n), flags, make);
        assert_eq!(registered, Ok(()));
    }

    /// Records a handler that a factory of the test's own has made.
    pub fn record(&self, handler: Arc<dyn SyncHandler>) -> Arc<dyn SyncHandler> {
        let recorder = Recorder::new();
        self.all.lock().unwrap().push(recorder.clone());
        recorder.handler(handler)
    }

    /// As [`register`](Self::register), where each handler follows a script of its own: that of the first is made of 1.
    pub fn register_made(
        &self,
        manager: &SyncManager,
        n: u128,
        make: impl Fn(usize) -> Script + Send + Sync + 'static,
    ) {
        let records = self.clone();
        let times = AtomicUsize::new(0);
        let registered = manager.register(handler_id(n), Registration::new(), move || {
            let script = make(times.fetch_add(1, Ordering::SeqCst) + 1);
            records.record(script.handler())
        });
        assert_eq!(registered, Ok(()));
    }

    /// How many handlers were made.
    pub fn made(&self) -> usize {
        self.all.lock().unwrap().len()
    }

    /// What each handler was called and called, in the order in which they were made.
    pub fn traces(&self) -> Vec<syncmgr::testing::Trace> {
        let records = self.all.lock().unwrap();
        records.iter().map(Recorder::trace).collect()
    }

    /// The manager kept the rules that bind it with each of them.
    #[track_caller]
    pub fn judge(&self) {
        for trace in self.traces() {
            let mut found = trace.violations().iter();
            let host = found.find(|found| !found.rule.binds_handler());
            assert_eq!(host, None, "{trace}");
        }
    }
}
