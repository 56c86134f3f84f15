//! The rows: which items have one, and what stands in it.

use std::io;

use super::*;
use support::{self, driven, id, open, start_round, status};
use syncmgr::{HResult, ItemStatus, LogLevel, LogRecord, SyncCallback};

#[test]
fn a_job_from_its_start_to_its_end() {
    let session = named(&["Photos", "Mail", "Notes"]);
    let mut stage = Stage::wide(&session);
    assert_eq!(stage.look(), "0 of 3 items  [                      ]    0%");

    let photos = begin(&session, 1, 50, 200);
    let update = ProgressUpdate::new().value(30).max(40).text("fetching");
    assert_eq!(reporter(&session, 2).report(&update), Ok(Verdict::Continue));
    let screen = stage.look();
    assert_eq!(
        lines(&screen),
        [
            "Photos               [=>        ]   25%             50 of 200",
            "Mail                 [======>   ]   75%              30 of 40                       fetching",
            // Of three items one quarter and three quarters are done.
            "0 of 3 items  [======>               ]   33%                    80",
        ]
    );

    // 100 a second, so the rest takes a second and a half.
    for value in [60, 70, 80, 90, 100, 110, 120] {
        assert_eq!(photos.set(value), Ok(Verdict::Continue));
        stage.look();
    }
    for value in [130, 140, 150] {
        assert_eq!(photos.set(value), Ok(Verdict::Continue));
        stage.look();
    }
    let screen = stage.look();
    let row = lines(&screen)[0];
    assert!(row.contains(" 75%            150 of 200"), "{screen}");
    assert!(row.contains("/s     0:01"), "{screen}");

    photos.succeed().unwrap();
    let screen = stage.look();
    assert_eq!(lines(&screen).len(), 2, "its row is gone: {screen}");
    assert!(screen.contains("1 of 3 items"), "{screen}");

    begin(&session, 3, 5, 5).succeed().unwrap();
    begin(&session, 2, 40, 40).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    let screen = stage.last();
    assert_eq!(total(&screen), "3 of 3 items 100% 195 of 245");
}

#[test]
fn the_sums_are_shown_once_every_maximum_is_told() {
    let session = open(2);
    let mut stage = Stage::new(Bars::new().bytes(), &session, 24, 100);
    let one = begin(&session, 1, 1 << 20, 4 << 20);
    // Nobody knows how much the other is: a quarter of one of two items.
    assert_eq!(total(&stage.look()), "0 of 2 items 12% 1.00 MiB");
    let _two = begin(&session, 2, 0, 4 << 20);
    for step in 0..15 {
        assert_eq!(one.set((1 << 20) + (step << 17)), Ok(Verdict::Continue));
        stage.look();
    }
    let screen = total(&stage.look());
    assert_eq!(
        screen,
        "0 of 2 items 34% 2.75 MiB of 8.00 MiB 1.09 MiB/s 0:05 left"
    );
    // What is cancelled is not waited for.
    session.cancel_item(id(2)).unwrap();
    reporter(&session, 2).stop().unwrap();
    let screen = total(&stage.look());
    assert!(
        screen.starts_with("1 of 2 items 84% 2.75 MiB of 8.00 MiB"),
        "{screen}"
    );
    assert!(screen.ends_with("0:02 left 1 cancelled"), "{screen}");
}

#[test]
fn what_ended_without_a_maximum_leaves_the_sums_of_the_others() {
    let session = open(4);
    let mut stage = Stage::new(Bars::new().bytes(), &session, 24, 100);
    let _one = begin(&session, 1, 1 << 20, 4 << 20);
    // Three that have nothing to do: until they have ended nobody knows that.
    assert_eq!(total(&stage.look()), "0 of 4 items 6% 1.00 MiB");
    reporter(&session, 2).succeed().unwrap();
    reporter(&session, 3).skip().unwrap();
    assert_eq!(total(&stage.look()), "2 of 4 items 56% 1.00 MiB");
    begin(&session, 4, 0, 0).succeed().unwrap();
    let screen = total(&stage.look());
    assert_eq!(screen, "3 of 4 items 25% 1.00 MiB of 4.00 MiB");
}

#[test]
fn what_has_no_maximum_has_no_percentage() {
    let session = named(&["Index", "Strange"]);
    let mut stage = Stage::wide(&session);
    let index = reporter(&session, 1);
    assert_eq!(index.set(7), Ok(Verdict::Continue));
    let strange = begin(&session, 2, 9, 3);
    let update = status(ItemStatus::UpdatingIndeterminate);
    assert_eq!(strange.report(&update), Ok(Verdict::Continue));
    let mut bars = Vec::new();
    for _ in 0..40 {
        let screen = stage.look();
        for row in &lines(&screen)[..2] {
            assert!(!row.contains('%'), "{screen}");
            assert!(row.contains("<=>"), "{screen}");
            assert_eq!(row.find(']'), Some(32), "{screen}");
        }
        bars.push(screen.lines().next().map(str::to_owned));
    }
    bars.dedup();
    assert!(bars.len() > 20, "it moves: {bars:?}");
}

#[test]
fn a_cancel_is_marked_on_its_way_and_afterwards() {
    let session = named(&["Videos", "Music", "Games"]);
    let mut stage = Stage::wide(&session);
    let videos = begin(&session, 1, 40, 100);
    let _music = begin(&session, 2, 1, 2);
    stage.look();
    session.cancel_item(id(1)).unwrap();
    session.cancel_item(id(3)).unwrap();
    let screen = stage.look();
    assert_eq!(lines(&screen)[0], "Videos               cancelling");
    assert_eq!(
        lines(&screen)[2],
        "Games                cancelling",
        "it has not begun"
    );
    videos.stop().unwrap();
    reporter(&session, 3).skip().unwrap();
    for _ in 0..3 {
        let screen = stage.look();
        assert_eq!(lines(&screen)[0], "Videos               stopped at 40%");
        assert_eq!(lines(&screen)[2], "Games                skipped");
        assert!(screen.ends_with("  2 cancelled"), "{screen}");
    }
}

#[test]
fn a_failed_item_stays_with_its_error() {
    let session = named(&["Mail", "Notes", "Music", "Keys"]);
    let mut stage = Stage::wide(&session);
    begin(&session, 1, 1, 3)
        .fail(&io::Error::other("the server said no"))
        .unwrap();
    let _notes = begin(&session, 2, 1, 2);
    // One whose text says it, and one that says nothing.
    let failed = ProgressUpdate::new()
        .status(ItemStatus::Failed)
        .text("no such disk");
    assert!(session.progress(id(3), &failed).is_ok());
    assert!(session.progress(id(4), &status(ItemStatus::Failed)).is_ok());
    let screen = stage.look();
    let told = |screen: &str, row: &str| screen.lines().any(|line| line == row);
    assert!(
        told(&screen, "Mail                 failed: the server said no"),
        "{screen}"
    );
    assert!(
        told(&screen, "Music                failed: no such disk"),
        "{screen}"
    );
    assert!(told(&screen, "Keys                 failed"), "{screen}");
    assert!(screen.ends_with("3 failed"), "{screen}");
    // The reason may come late.
    session
        .log_error(&LogRecord::new(LogLevel::Error, "the key\nis broken").item(id(4)))
        .unwrap();
    let screen = stage.look();
    assert!(
        told(&screen, "Keys                 failed: the key is broken"),
        "{screen}"
    );
    assert!(screen.ends_with("3 failed"), "{screen}");
    session.synchronize_completed(HResult::S_OK).unwrap();
    assert!(told(
        &stage.last(),
        "Mail                 failed: the server said no"
    ));
}

#[test]
fn a_failure_may_follow_an_end() {
    let session = named(&["Mail"]);
    let mut stage = Stage::wide(&session);
    begin(&session, 1, 3, 3).succeed().unwrap();
    let screen = stage.look();
    assert_eq!(lines(&screen).len(), 1, "{screen}");
    assert!(session.progress(id(1), &status(ItemStatus::Failed)).is_ok());
    let screen = stage.look();
    assert!(
        screen.starts_with("Mail                 failed"),
        "{screen}"
    );
    assert!(screen.ends_with("1 failed"), "{screen}");
}

#[test]
fn a_retry_begins_anew() {
    let session = driven(2);
    let mut stage = Stage::wide(&session);
    stage.look();
    start_round(&session, &[id(1), id(2)]);
    begin(&session, 1, 90, 100)
        .fail(&io::Error::other("no"))
        .unwrap();
    begin(&session, 2, 100, 100).succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    let screen = stage.look();
    assert_eq!(total(&screen), "2 of 2 items 100% 190 of 200 1 failed");

    start_round(&session, &[id(1)]);
    let screen = stage.look();
    assert!(!screen.contains("failed"), "{screen}");
    assert!(screen.contains("1 of 2 items"), "{screen}");
    let again = begin(&session, 1, 10, 100);
    let screen = stage.look();
    assert!(
        screen.starts_with("item 1               [>         ]   10%"),
        "{screen}"
    );
    again.succeed().unwrap();
    session.synchronize_completed(HResult::S_OK).unwrap();
    session.driver().release();
    let screen = stage.last();
    assert!(screen.starts_with("2 of 2 items"), "{screen}");
    assert!(!screen.contains("failed"), "{screen}");
}

#[test]
fn what_a_session_leaves_open_is_unfinished() {
    let session = named(&["Mail", "Notes"]);
    let mut stage = Stage::wide(&session);
    let _mail = begin(&session, 1, 1, 4);
    stage.look();
    session.driver().release();
    let screen = stage.last();
    assert_eq!(lines(&screen)[0], "Mail                 unfinished");
    assert_eq!(total(&screen), "0 of 2 items 12% 1");
}

#[test]
fn what_takes_no_part_has_no_row() {
    let session = driven(3);
    let mut stage = Stage::wide(&session);
    session.cancel_item(id(2)).unwrap();
    let screen = stage.look();
    assert_eq!(lines(&screen)[0], "item 2               cancelling");
    assert_eq!(total(&screen), "0 of 3 items 0%");
    start_round(&session, &[id(1)]);
    assert_eq!(total(&stage.look()), "0 of 1 item 0%");
    assert_eq!(lines(&stage.look()).len(), 1, "its row is gone");
}

#[test]
fn a_journal_that_is_too_short_loses_nothing() {
    let session = Session::builder()
        .items(support::items(100))
        .journal_capacity(4)
        .build()
        .unwrap();
    let mut stage = Stage::new(Bars::new().rows(3), &session, 24, 100);
    stage.look();
    for n in 1..=50 {
        match n % 5 {
            0 => reporter(&session, n).fail(&io::Error::other("no")).unwrap(),
            1 => {
                session.cancel_item(support::id(n)).unwrap();
                reporter(&session, n).skip().unwrap();
            }
            _ => reporter(&session, n).succeed().unwrap(),
        }
    }
    for _ in 0..2 {
        let screen = total(&stage.look());
        assert_eq!(screen, "50 of 100 items 50% 10 failed 10 cancelled");
    }
    let screen = stage.look();
    let failed: Vec<_> = (1..=10).map(|n| format!("item {} ", n * 5)).collect();
    for name in failed {
        let rows = lines(&screen).into_iter();
        assert_eq!(
            rows.filter(|row| row.starts_with(&name)).count(),
            1,
            "{name}: {screen}"
        );
    }
}

#[test]
fn items_are_added_while_it_runs() {
    let session = open(1);
    let mut stage = Stage::wide(&session);
    assert!(stage.look().contains("0 of 1 item "));
    session
        .add_item(SyncItem::new(id(7), ItemName::truncate_start("late")))
        .unwrap();
    let _late = begin(&session, 7, 1, 4);
    let screen = stage.look();
    assert!(
        screen.starts_with("late                 [=>        ]   25%"),
        "{screen}"
    );
    assert!(screen.contains("0 of 2 items"), "{screen}");
}

#[test]
fn what_finds_no_row_is_counted() {
    let session = open(30);
    let mut stage = Stage::new(Bars::new().rows(4), &session, 24, 100);
    let mut working: Vec<_> = (1..=10).map(|n| begin(&session, n, 1, 2)).collect();
    let screen = stage.look();
    let rows = lines(&screen);
    assert_eq!(rows.len(), 6, "{screen}");
    assert_eq!(rows[4], "and 6 more in work");

    // Its place is taken by the next, and no other row moves.
    working.remove(1).succeed().unwrap();
    let screen = stage.look();
    let begins: Vec<_> = lines(&screen)[..4].iter().map(|row| &row[..7]).collect();
    assert_eq!(
        begins,
        ["item 1 ", "item 5 ", "item 3 ", "item 4 "],
        "{screen}"
    );
    assert_eq!(lines(&screen)[4], "and 5 more in work");

    // A failed one makes room for one in work, and then stands above for good.
    working
        .remove(0)
        .fail(&io::Error::other("it broke"))
        .unwrap();
    let screen = stage.look();
    let rows = lines(&screen);
    assert_eq!(rows[0], "item 1  failed: it broke");
    assert_eq!(rows.len(), 7, "{screen}");
    assert_eq!(rows[5], "and 4 more in work");

    // It stays in its row where there is no need for that.
    for reporter in working.drain(..7) {
        reporter.succeed().unwrap();
    }
    working.remove(0).fail(&io::Error::other("too")).unwrap();
    let screen = stage.look();
    assert_eq!(
        lines(&screen)[..2],
        [
            "item 1  failed: it broke",
            "item 10              failed: too"
        ]
    );
    assert!(lines(&screen)[2].ends_with("2 failed"), "{screen}");
}

#[test]
fn the_place_of_one_that_is_done_is_taken_and_no_other_row_moves() {
    let session = open(9);
    let mut stage = Stage::wide(&session);
    let mut working: Vec<_> = (1..=3).map(|n| begin(&session, n, 1, 2)).collect();
    stage.look();
    working.remove(1).succeed().unwrap();
    working.push(begin(&session, 9, 1, 2));
    let screen = stage.look();
    let begins: Vec<_> = lines(&screen)[..3].iter().map(|row| &row[..6]).collect();
    assert_eq!(begins, ["item 1", "item 9", "item 3"], "{screen}");
}

#[test]
fn rows_are_as_many_as_the_terminal_has_room_for() {
    let session = open(30);
    let _working: Vec<_> = (1..=30).map(|n| begin(&session, n, 1, 2)).collect();
    for (height, rows) in [(1, 1), (2, 2), (3, 2), (4, 3), (10, 9), (24, 22), (60, 22)] {
        let mut stage = Stage::new(Bars::new(), &session, height, 80);
        let screen = stage.look();
        assert_eq!(lines(&screen).len(), rows, "{height}: {screen}");
        assert!(
            lines(&screen)[rows - 1].starts_with("0 of 30 items"),
            "{screen}"
        );
        stage.look();
        assert_eq!(
            stage.terminal.contents().lines().count(),
            rows,
            "it does not scroll"
        );
    }
}

#[test]
fn a_row_is_never_wider_than_the_terminal() {
    let names = [
        "写真と音楽とその他のもの",
        "a name that is far too long for any terminal that there is",
        "é",
        "",
    ];
    let session = named(&names);
    let mail = begin(&session, 1, 123_456_789, 9_876_543_210);
    assert!(
        mail.report(&ProgressUpdate::new().text("写真を写真を写真を"))
            .is_ok()
    );
    begin(&session, 2, 1, 0)
        .fail(&io::Error::other(
            "an error with a text that has no end ".repeat(9),
        ))
        .unwrap();
    let _three = begin(&session, 3, u64::MAX, u64::MAX);
    session.cancel_item(id(4)).unwrap();
    for bars in [Bars::new, || Bars::new().bytes()] {
        for columns in 1..=200 {
            let mut stage = Stage::new(bars(), &session, 24, columns);
            for _ in 0..13 {
                stage.look();
            }
            let screen = stage.look();
            assert!(lines(&screen).len() <= 5, "{columns}: {screen}");
            for line in lines(&screen) {
                let width = console::measure_text_width(line);
                assert!(width < columns.into(), "{columns}: {line}");
            }
        }
    }
}

#[test]
fn a_long_name_has_the_columns_that_no_text_needs() {
    let long = "holidays/2024/the harbour at night.raw";
    let session = named(&[long, "Mail"]);
    let mut stage = Stage::wide(&session);
    let _mail = begin(&session, 2, 1, 4);
    let row = |screen: &str, n: usize| lines(screen)[n].to_owned();
    assert_eq!(
        row(&stage.look(), 0),
        "Mail                 [=>        ]   25%                1 of 4"
    );
    let item = begin(&session, 1, 1, 2);
    let screen = stage.look();
    let shown = "holidays/2024/th…bour at night.raw";
    assert!(
        row(&screen, 1).starts_with(&format!("{shown}  [")),
        "{screen}"
    );
    assert_eq!(row(&screen, 0).find('['), Some(36), "{screen}");

    // A text has as much as it needs of it, also when it has gone.
    for (text, name, end) in [
        ("copying", "holidays/202… at night.raw  [", "  copying"),
        ("", "holidays/202… at night.raw  [", "1 of 2"),
        (
            "copying for the second time",
            "holidays/…night.raw  [",
            "  copying for th…",
        ),
    ] {
        assert!(item.report(&ProgressUpdate::new().text(text)).is_ok());
        let screen = stage.look();
        let row = row(&screen, 1);
        assert!(row.starts_with(name) && row.ends_with(end), "{screen}");
    }
    // What an item has come to needs its columns too.
    item.fail(&io::Error::other("the disk is full")).unwrap();
    let screen = stage.look();
    assert!(screen.contains("failed: the disk is full"), "{screen}");
}

#[test]
fn a_narrow_row_tells_the_most_important() {
    let session = named(&["Mail", "Notes", "Music"]);
    let mut stage = Stage::new(Bars::new(), &session, 10, 30);
    begin(&session, 1, 1, 3)
        .fail(&io::Error::other("the server said no"))
        .unwrap();
    let _notes = begin(&session, 2, 1, 2);
    let _music = begin(&session, 3, 1, 4);
    session.cancel_item(id(3)).unwrap();
    let screen = stage.look();
    let mut rows = lines(&screen);
    rows[..3].sort_unstable();
    assert_eq!(
        rows,
        [
            "Mail           failed: the s…",
            "Music          cancelling",
            "Notes                     50%",
            "1/3   55%  1 failed",
        ]
    );
}

#[test]
fn a_million_items_cost_what_is_in_work() {
    let items = (1..=1_000_000).map(|n| SyncItem::new(id(n), ItemName::truncate_start("a file")));
    let session = Session::builder().items(items).build().unwrap();
    let mut stage = Stage::wide(&session);
    assert_eq!(total(&stage.look()), "0 of 1,000,000 items 0%");
    let working: Vec<_> = (1..=1_000)
        .map(|n| begin(&session, n * 999, 1, 2))
        .collect();
    let screen = stage.look();
    assert_eq!(lines(&screen).len(), 22, "{screen}");
    assert_eq!(lines(&screen)[20], "and 980 more in work");
    // What a look allocates does not depend on what exists.
    let few = open(1_000);
    let _few: Vec<_> = (1..=1_000).map(|n| begin(&few, n, 1, 2)).collect();
    let mut other = Stage::wide(&few);
    other.look();
    other.look();
    stage.look();
    let cost = |stage: &mut Stage| {
        let info = allocation_counter::measure(|| assert!(!stage.frames.look_at(stage.now)));
        (info.count_total, info.bytes_total)
    };
    let (many, few) = (cost(&mut stage), cost(&mut other));
    assert!(
        many.0 <= few.0 + few.0 / 4 && many.1 <= few.1 * 2,
        "{many:?}, and of 1,000: {few:?}"
    );
    drop(working); // they end as failed or stay; nothing is asked of that
    session.cancel_all();
    let screen = stage.look();
    assert!(lines(&screen).len() <= 22, "{screen}");
    session.driver().release();
    stage.last();
}
