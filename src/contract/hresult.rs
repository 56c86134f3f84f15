//! `HRESULT`: the one result type of the original interfaces, kept whole.

use std::fmt;

/// A result code of the original interfaces, success or failure, exactly as it is.
///
/// The typed answers ([`Verdict`](crate::Verdict), [`Dialog`](crate::Dialog) …) and errors of this
/// crate convert into it and back without loss. Use it where a code crosses a border: a port of a
/// Windows handler, a trace, a completion call.
///
/// Layout: bit 31 severity (set: failure), bits 27–30 flags, bits 16–26 facility, bits 0–15 code.
/// Values as in `winerror.h` and `mobsync.h`.
///
/// ```
/// use syncmgr::HResult;
///
/// let answer = HResult(0x0004_0203);
/// assert_eq!(answer, HResult::S_SYNCMGR_CANCELITEM);
/// assert!(answer.is_success());
/// assert_eq!(answer.to_string(), "S_SYNCMGR_CANCELITEM (0x00040203)");
/// assert_eq!(HResult::from_u32(0x8007_0002).to_string(), "0x80070002");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HResult(pub i32);

/// Declares the named codes once, so that a constant and its name cannot drift apart.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)+) => {
        impl HResult {
            $($(#[$doc])* pub const $name: Self = Self::from_u32($value);)+

            /// Returns the header's name of this code, if it is one of the constants here.
            ///
            /// ```
            /// use syncmgr::HResult;
            ///
            /// assert_eq!(HResult::E_FAIL.name(), Some("E_FAIL"));
            /// assert_eq!(HResult(2).name(), None);
            /// ```
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)+
                    _ => None,
                }
            }

            /// Returns the code that has this name in the headers, if it is one of the constants here: the reverse of
            /// [`name`](Self::name).
            ///
            /// ```
            /// use syncmgr::HResult;
            ///
            /// assert_eq!(HResult::from_name("E_FAIL"), Some(HResult::E_FAIL));
            /// assert_eq!(HResult::from_name("E_NOTHING"), None);
            /// ```
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// 0: success, and the plain "yes" of every method.
    S_OK = 0x0000_0000;
    /// 1: success, but no: takes no part, needs the user, must not show the dialog, fewer items than asked for.
    S_FALSE = 0x0000_0001;
    /// 0x00040201: the enumerated list is incomplete (`ISyncMgrSynchronize::EnumSyncMgrItems`).
    S_SYNCMGR_MISSINGITEMS = 0x0004_0201;
    /// 0x00040202: prepare and synchronize again with the given items (`ISyncMgrSynchronizeCallback::ShowErrorCompleted`).
    S_SYNCMGR_RETRYSYNC = 0x0004_0202;
    /// 0x00040203: stop this item as soon as possible (`ISyncMgrSynchronizeCallback::Progress`).
    S_SYNCMGR_CANCELITEM = 0x0004_0203;
    /// 0x00040204: stop all items of this application (`ISyncMgrSynchronizeCallback::Progress`).
    S_SYNCMGR_CANCELALL = 0x0004_0204;
    /// 0x00040210: the item was deleted in its properties dialog (`mobsync.h`; no page tells more).
    S_SYNCMGR_ITEMDELETED = 0x0004_0210;
    /// 0x00040211: the host has to enumerate the items again (`mobsync.h`; no page tells more).
    S_SYNCMGR_ENUMITEMS = 0x0004_0211;
    /// 0x80004001: the method is not implemented.
    E_NOTIMPL = 0x8000_4001;
    /// 0x80004004: the operation was aborted.
    E_ABORT = 0x8000_4004;
    /// 0x80004005: a failure without further detail.
    E_FAIL = 0x8000_4005;
    /// 0x8000FFFF: the call was not expected here, such as in the wrong phase.
    E_UNEXPECTED = 0x8000_FFFF;
    /// 0x80070005: access denied; here a report about an item that has finished.
    E_ACCESSDENIED = 0x8007_0005;
    /// 0x8007000E: out of memory; here also a full log.
    E_OUTOFMEMORY = 0x8007_000E;
    /// 0x80070057: an argument is not valid.
    E_INVALIDARG = 0x8007_0057;
}

impl HResult {
    /// The facility of codes that belong to one interface: 4. All `S_SYNCMGR_` codes have it.
    pub const FACILITY_ITF: u16 = 4;

    /// Makes a code of its unsigned form, in which headers and tools print it.
    #[must_use]
    pub const fn from_u32(bits: u32) -> Self {
        // A reinterpretation of the 32 bits is meant: failures have the top bit set.
        Self(bits as i32)
    }

    /// Returns the unsigned form of this code.
    #[must_use]
    pub const fn to_u32(self) -> u32 {
        self.0 as u32
    }

    /// Returns whether the severity bit is clear, as the `SUCCEEDED` macro tells.
    ///
    /// True for [`S_FALSE`](Self::S_FALSE) and both cancel codes too; compare with
    /// [`S_OK`](Self::S_OK) where only the plain yes will do.
    ///
    /// ```
    /// use syncmgr::HResult;
    ///
    /// // A handler that sees success alone cannot see a cancel.
    /// assert!(HResult::S_SYNCMGR_CANCELITEM.is_success());
    /// assert!(!HResult::E_ABORT.is_success());
    /// ```
    #[must_use]
    #[doc(alias = "SUCCEEDED")]
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// Returns whether the severity bit is set, as the `FAILED` macro tells.
    #[must_use]
    #[doc(alias = "FAILED")]
    pub const fn is_failure(self) -> bool {
        self.0 < 0
    }

    /// Returns the facility: bits 16–26, so 0 to 0x7FF.
    ///
    /// The header's `HRESULT_FACILITY` macro takes two bits more, which the layout gives to flags.
    #[must_use]
    #[doc(alias = "HRESULT_FACILITY")]
    pub const fn facility(self) -> u16 {
        ((self.to_u32() >> 16) & 0x7FF) as u16
    }

    /// Returns the code within the facility: bits 0–15.
    #[must_use]
    #[doc(alias = "HRESULT_CODE")]
    pub const fn code(self) -> u16 {
        (self.to_u32() & 0xFFFF) as u16
    }
}

impl From<i32> for HResult {
    fn from(raw: i32) -> Self {
        Self(raw)
    }
}

impl From<HResult> for i32 {
    fn from(code: HResult) -> Self {
        code.0
    }
}

impl fmt::Display for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.to_u32()),
            None => write!(f, "0x{:08X}", self.to_u32()),
        }
    }
}

/// The digits alone, as a trace or a table of codes has them.
///
/// ```
/// # use syncmgr::HResult;
/// assert_eq!(format!("{:08x}", HResult::E_FAIL), "80004005");
/// assert_eq!(format!("{:#010X}", HResult::S_FALSE), "0x00000001");
/// ```
impl fmt::LowerHex for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl fmt::UpperHex for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::UpperHex::fmt(&self.0, f)
    }
}

impl fmt::Debug for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The decimal of a derive would hide what the code is.
        write!(f, "HResult({self})")
    }
}
