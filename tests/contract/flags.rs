//! The flag words: members and masks as in the header, and no operator that loses an unknown bit.

use syncmgr::raw::{LogInfoMask, ProgressMask};
use syncmgr::{
    ErrorFlags, HandlerFlags, InvokeFlags, ItemFlags, RegisterFlags, SyncEvent, SyncFlags,
};

/// Checks the members of a flag word, by number and by name, and what the operators do to the rest.
macro_rules! check_flags {
    ($type:ident, [$($member:ident = $bits:literal),+ $(,)?]) => {{
        let members = [$((stringify!($member), $type::$member, $bits)),+];
        for (name, member, bits) in members {
            assert_eq!(member.bits(), bits, "{name}");
            assert_eq!($type::from_name(name), Some(member));
        }
        let named: Vec<_> = $type::all().iter_names().map(|(name, _)| name).collect();
        assert_eq!(named, members.map(|(name, ..)| name), "nothing else has a name");

        // One bit that has no name, beside all that have one.
        let unknown = $type::from_bits_retain(0x4000_0000);
        let (_, first, _) = members[0];
        let both = unknown | first;
        assert_eq!(both.bits(), 0x4000_0000 | first.bits());
        assert_eq!(both & unknown, unknown);
        assert_eq!(both - first, unknown);
        assert_eq!(both ^ first, unknown);
        assert_eq!((!first).bits(), !first.bits());
        assert_eq!(!!both, both);
        assert_eq!($type::from_bits(u32::MAX).map(|flags| flags.bits()), Some(u32::MAX));
        assert_eq!($type::from_bits_truncate(u32::MAX).bits(), u32::MAX);
        assert_eq!($type::all().bits(), u32::MAX);
        assert_eq!(both.complement().complement(), both);
        assert_eq!(both.iter().collect::<$type>(), both);
        assert_eq!($type::from_iter([unknown, first]), both);
        let mut changed = first;
        changed |= unknown;
        changed.remove(first);
        changed.toggle(first);
        changed.set(first, false);
        changed.insert($type::empty());
        changed &= !first;
        assert_eq!(changed, unknown);
        assert_eq!($type::default().bits(), 0);
    }};
}

#[test]
fn members_have_the_numbers_of_the_header() {
    check_flags!(SyncFlags, [SETTINGS = 0x100, MAY_BOTHER_USER = 0x200]);
    check_flags!(
        HandlerFlags,
        [
            HAS_PROPERTIES = 1,
            MAY_ESTABLISH_CONNECTION = 2,
            ALWAYS_LIST_HANDLER = 4,
            HIDDEN = 8,
        ]
    );
    check_flags!(
        ItemFlags,
        [
            HAS_PROPERTIES = 1,
            TEMPORARY = 2,
            ROAMING_USER = 4,
            LAST_UPDATE_TIME = 8,
            MAY_DELETE_ITEM = 0x10,
            HIDDEN = 0x20,
        ]
    );
    check_flags!(InvokeFlags, [START_SYNC = 2, MINIMIZED = 4]);
    check_flags!(
        RegisterFlags,
        [CONNECT = 1, PENDING_DISCONNECT = 2, IDLE = 4]
    );
    check_flags!(
        ProgressMask,
        [
            STATUS_TEXT = 1,
            STATUS_TYPE = 2,
            PROG_VALUE = 4,
            MAX_VALUE = 8,
        ]
    );
    check_flags!(LogInfoMask, [ERROR_FLAGS = 1, ERROR_ID = 2, ITEM_ID = 4]);
    check_flags!(ErrorFlags, [ENABLE_JUMP_TEXT = 1]);
}

#[test]
fn masks_are_those_of_the_header() {
    assert_eq!(SyncFlags::EVENT_MASK.bits(), 0xFF);
    assert_eq!(HandlerFlags::MASK.bits(), 0x0F);
    assert_eq!(ItemFlags::MASK.bits(), 0x7F);
    assert_eq!(RegisterFlags::MASK.bits(), 0x07);
}

#[test]
fn the_event_is_the_low_byte_and_an_unknown_one_is_manual() {
    for raw in 0..=0xFF {
        let flags = SyncFlags::from_bits_retain(0xABCD_EF00 | raw);
        let event = SyncEvent::try_from(raw).unwrap_or(SyncEvent::Manual);
        assert_eq!(flags.event(), event, "{raw:#x}");
    }
    for raw in 1..=6 {
        let event = SyncEvent::try_from(raw).unwrap();
        let flags = SyncFlags::new(event);
        assert_eq!(flags.bits(), raw);
        assert_eq!(
            (flags | SyncFlags::MAY_BOTHER_USER | SyncFlags::SETTINGS).event(),
            event
        );
    }
    assert_eq!(SyncFlags::default().event(), SyncEvent::Manual);
}

#[test]
fn debug_names_the_event_and_keeps_the_rest() {
    for (bits, text) in [
        (0x000, "SyncFlags(event 0x0)"),
        (0x003, "SyncFlags(Manual)"),
        (0x305, "SyncFlags(Invoke | SETTINGS | MAY_BOTHER_USER)"),
        (0x4FF, "SyncFlags(event 0xff | 0x400)"),
    ] {
        assert_eq!(format!("{:?}", SyncFlags::from_bits_retain(bits)), text);
    }
}
