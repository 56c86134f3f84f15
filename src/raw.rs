//! Values of `mobsync.h` that only ports need.
//!
//! Interface and class ids, the masks of its structures, `FILETIME`, and progress as 32-bit numbers.
//!
//! ```
//! use syncmgr::raw;
//!
//! assert_eq!(
//!     raw::IID_ISYNC_MGR_SYNCHRONIZE_CALLBACK.to_string(),
//!     "6295df41-35ee-11d1-8707-00c04fd93327",
//! );
//! ```

use uuid::Uuid;

pub use crate::contract::{LogInfoMask, ProgressMask, from_filetime, scale_to_i32, to_filetime};

/// `CLSID_SyncMgr`: the class of the Synchronization Manager itself.
#[doc(alias = "CLSID_SyncMgr")]
pub const CLSID_SYNC_MGR: Uuid = Uuid::from_u128(0x6295DF27_35EE_11D1_8707_00C04FD93327);
/// `IID_ISyncMgrEnumItems`: the enumerator that [`ItemList`](crate::ItemList) stands for.
#[doc(alias = "IID_ISyncMgrEnumItems")]
pub const IID_ISYNC_MGR_ENUM_ITEMS: Uuid = Uuid::from_u128(0x6295DF2A_35EE_11D1_8707_00C04FD93327);
/// `IID_ISyncMgrSynchronizeInvoke`: starts a synchronization from a program.
#[doc(alias = "IID_ISyncMgrSynchronizeInvoke")]
pub const IID_ISYNC_MGR_SYNCHRONIZE_INVOKE: Uuid =
    Uuid::from_u128(0x6295DF2C_35EE_11D1_8707_00C04FD93327);
/// `IID_ISyncMgrSynchronize`: the handler, here [`SyncHandler`](crate::SyncHandler).
#[doc(alias = "IID_ISyncMgrSynchronize")]
pub const IID_ISYNC_MGR_SYNCHRONIZE: Uuid = Uuid::from_u128(0x6295DF40_35EE_11D1_8707_00C04FD93327);
/// `IID_ISyncMgrSynchronizeCallback`: the host's side, here [`SyncCallback`](crate::SyncCallback).
#[doc(alias = "IID_ISyncMgrSynchronizeCallback")]
pub const IID_ISYNC_MGR_SYNCHRONIZE_CALLBACK: Uuid =
    Uuid::from_u128(0x6295DF41_35EE_11D1_8707_00C04FD93327);
/// `IID_ISyncMgrRegister`: registers handlers.
#[doc(alias = "IID_ISyncMgrRegister")]
pub const IID_ISYNC_MGR_REGISTER: Uuid = Uuid::from_u128(0x6295DF42_35EE_11D1_8707_00C04FD93327);
