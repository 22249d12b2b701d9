//! What comes of servers that break off, contradict themselves, or try to lead elsewhere: an error, never a wrong answer.

use futures_util::TryStreamExt as _;
use md5::Digest as _;
use portbook::Code;
use portbook::delta::{Expect, Metadata};
use portbook::model::{RelPath, SecretBytes};
use portbook::provider::ftp::{Ftp, FtpOptions, FtpSecurity};
use portbook::provider::{Listing, NativeHash, Provider as _};

use crate::contract::{self, path};
use crate::liar::{Liar, Lie};
use crate::places::options;

async fn opened(lie: Lie) -> (Liar, Ftp) {
    let server = Liar::start(lie).await;
    server.put("/a", b"0123456789");
    let ftp = Ftp::open(options(server.port, "")).await.unwrap();
    (server, ftp)
}

async fn read(ftp: &Ftp, with_expectation: bool) -> portbook::Result<Vec<u8>> {
    let expect = if with_expectation { contract::stat(ftp, "a").await } else { None };
    let opened = ftp.read(&path("a"), expect.as_ref(), 0, None).await?;
    Ok(opened.bytes.try_collect::<Vec<_>>().await?.concat())
}

#[tokio::test]
async fn a_good_server_is_believed() {
    let (server, ftp) = opened(Lie::None).await;
    assert_eq!(read(&ftp, true).await.unwrap(), b"0123456789");
    assert_eq!(contract::listed(&ftp, "").await.len(), 1);
    contract::put(&ftp, "b", b"new", Expect::Absent).await.unwrap();
    assert_eq!(server.content("/b").unwrap(), b"new");
}

#[tokio::test]
async fn a_server_that_says_hashes_is_asked_for_them() {
    for (feature, asked) in [("HASH SHA-3*;MD5", 1), ("HASH MD5*", 0), ("XMD5 file", 0)] {
        let (server, ftp) = opened(Lie::Can(feature)).await;
        let node = contract::stat(&ftp, "a").await.unwrap();
        let mut other = node.clone();
        other.token.size = 9;
        let files = vec![(path("a"), node.clone()), (path("a"), other), (path("none"), node)];
        let md5 = NativeHash::Md5(md5::Md5::digest(b"0123456789").into());
        assert_eq!(ftp.native_hashes(files).await, [Some(md5), None, None], "{feature}");
        assert_eq!(server.count("OPTS HASH MD5").min(1), asked, "{feature}");
    }
    // A sum of 32 bits tells nothing of what is equal, and nobody asks for it.
    for lie in [Lie::None, Lie::Can("XCRC"), Lie::Can("HASH CRC32*")] {
        let (server, ftp) = opened(lie).await;
        let node = contract::stat(&ftp, "a").await.unwrap();
        assert_eq!(ftp.native_hashes(vec![(path("a"), node)]).await, [None]);
        assert_eq!((server.count("XCRC"), server.count("HASH")), (0, 0));
    }
}

#[tokio::test]
async fn times_are_set_by_mdtm_where_that_is_all_there_is() {
    for (sets, asked) in [(true, 3), (false, 1)] {
        let (server, ftp) = opened(Lie::SetsByMdtm(sets)).await;
        assert_eq!((ftp.capabilities().write_mtime, ftp.capabilities().set_mtime), (true, false));
        for name in ["x", "y", "z"] {
            let mut item = contract::new_file(&path(name), b"new");
            item.metadata.mtime = Some(portbook::model::Timestamp { secs: 1_700_000_000, nanos: 0 });
            contract::put_staged(&ftp, item).await.unwrap();
        }
        assert_eq!(server.count("MDTM 20231114221320 /.portbook-tmp-"), asked);
    }
}

#[tokio::test]
async fn downloads_that_are_not_whole_are_no_downloads() {
    for (lie, code) in [
        (Lie::DropsDownloads, Code::Offline),
        (Lie::CutsDownloads, Code::Offline),
        (Lie::NeverConfirms, Code::Offline),
        (Lie::SendsMore, Code::Stale),
    ] {
        let (_server, ftp) = opened(lie).await;
        for with_expectation in [false, true] {
            assert_eq!(read(&ftp, with_expectation).await.unwrap_err().code(), code, "{lie:?}");
            assert_eq!(ftp.hash(vec![path("a")]).await.remove(0).unwrap_err().code(), code, "{lie:?}");
        }
    }
}

#[tokio::test]
async fn uploads_that_are_not_whole_are_never_published() {
    let damages = ["HASH SHA-1;MD5*", "XMD5", "XCRC"].map(|how| (Lie::DamagesUploads(how), Code::Storage));
    for (lie, code) in [(Lie::Shrinks, Code::Storage), (Lie::IsFull, Code::Quota)].into_iter().chain(damages) {
        let (server, ftp) = opened(lie).await;
        let staged = contract::put_staged(&ftp, contract::new_file(&path("b"), &vec![7; 500_000])).await;
        let error = staged.unwrap_err();
        assert_eq!(error.code(), code, "{lie:?}: {error}");
        assert!(!server.has("/b"));
    }
    // The bytes arrived and nothing was said: they are sent again, and that is said to have failed.
    let (server, ftp) = opened(Lie::DiesStoring).await;
    let staged = contract::put_staged(&ftp, contract::new_file(&path("b"), b"bytes")).await;
    assert_eq!(staged.unwrap_err().code(), Code::Offline);
    assert!(server.count("STOR") > 1);
}

#[tokio::test]
async fn listings_that_are_not_whole_are_never_complete() {
    for lie in [Lie::CutsLines, Lie::BreaksListings, Lie::ForgetsListings] {
        let (_server, ftp) = opened(lie).await;
        let listing = ftp.list(vec![RelPath::root()]).await.remove(0);
        assert!(matches!(&listing, Listing::Unknown(e) if e.code() == Code::Offline), "{lie:?}: {listing:?}");
        // Nor does anything that is missing in one count as absent.
        let stat = ftp.stat(vec![path("missing")]).await.remove(0);
        assert_eq!(stat.unwrap_err().code(), Code::Offline, "{lie:?}");
    }
}

#[tokio::test]
async fn a_directory_is_not_empty_for_one_connection_that_carried_nothing() {
    let (_server, ftp) = opened(Lie::EmptiesListings).await;
    assert_eq!(contract::listed(&ftp, "").await.len(), 1);
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_not_taken() {
    let (_server, ftp) = opened(Lie::NamesNothing).await;
    match ftp.list(vec![RelPath::root()]).await.remove(0) {
        Listing::Partial(entries, _) => assert_eq!(entries.len(), 1),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_to_show_is_no_absence() {
    for lie in [Lie::Denies, Lie::Hides] {
        let (_server, ftp) = opened(lie).await;
        let stat = ftp.stat(vec![path("a")]).await.remove(0);
        assert_eq!(stat.unwrap_err().code(), Code::Permission, "{lie:?}");
        let over = contract::put(&ftp, "a", b"other", Expect::Absent).await;
        assert!(over.is_err(), "{lie:?}: what is hidden is not overwritten");
    }
    let (_server, ftp) = opened(Lie::Denies).await;
    let listing = ftp.list(vec![RelPath::root()]).await.remove(0);
    assert!(matches!(&listing, Listing::Unknown(e) if e.code() == Code::Permission), "{listing:?}");
}

#[tokio::test]
async fn a_server_with_too_many_connections_is_asked_again() {
    let (_server, ftp) = opened(Lie::IsBusy(2)).await;
    assert_eq!(read(&ftp, true).await.unwrap(), b"0123456789");
    let busy = Liar::start(Lie::IsBusy(u32::MAX)).await;
    assert_eq!(Ftp::open(options(busy.port, "")).await.unwrap_err().code(), Code::Throttled);
}

#[tokio::test]
async fn data_comes_from_the_server_that_is_spoken_with() {
    // Nobody answers at 192.0.2.1 (RFC 5737).
    let (server, ftp) = opened(Lie::Sends("192,0,2,1")).await;
    assert_eq!(read(&ftp, true).await.unwrap(), b"0123456789");
    let before = server.count("EPSV");
    contract::listed(&ftp, "").await;
    assert_eq!(server.count("EPSV"), before, "what failed once is not tried each time");
}

#[tokio::test]
async fn lines_within_a_reply_answer_nothing() {
    let (_server, ftp) = opened(Lie::Babbles).await;
    assert_eq!(read(&ftp, true).await.unwrap(), b"0123456789");
    assert_eq!(contract::stat(&ftp, "missing").await, None);
    assert_eq!(contract::stat(&ftp, "a").await.unwrap().token.size, 10);
}

#[tokio::test]
async fn an_effect_whose_answer_was_lost_is_looked_for() {
    let (server, ftp) = opened(Lie::DiesRenaming).await;
    contract::put(&ftp, "b", b"new", Expect::Absent).await.unwrap();
    assert_eq!(server.content("/b").unwrap(), b"new");
    let (server, ftp) = opened(Lie::DiesMaking).await;
    ftp.make_dirs(vec![(path("d"), Metadata::default())]).await.remove(0).unwrap();
    assert!(server.has("/d"));
}

#[tokio::test]
async fn names_that_end_a_line_never_reach_the_wire() {
    let (server, ftp) = opened(Lie::None).await;
    for name in ["x\r\nDELE a", "x\nDELE a", "x\r"] {
        assert!(!ftp.can_hold(&path(name).name().unwrap()));
        assert_eq!(ftp.stat(vec![path(name)]).await.remove(0).unwrap_err().code(), Code::Invalid);
        let staged = contract::put_staged(&ftp, contract::new_file(&path(name), b"x")).await;
        assert_eq!(staged.unwrap_err().code(), Code::Invalid);
    }
    assert_eq!(server.count("DELE"), 0);
    assert!(server.has("/a"));
}

#[tokio::test]
async fn a_wrong_password_and_a_closed_port_are_told_apart() {
    let server = Liar::start(Lie::None).await;
    let wrong = FtpOptions { password: SecretBytes::from("hunter2"), ..options(server.port, "") };
    let error = Ftp::open(wrong).await.unwrap_err();
    assert_eq!(error.code(), Code::Auth);
    assert!(error.to_string().contains("530 Login incorrect.") && !format!("{error:?}").contains("hunter2"), "{error}");
    assert_eq!(server.count("PASS"), 1, "no attempt helps");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(Ftp::open(options(closed, "")).await.unwrap_err().code(), Code::Offline);
    let secured = FtpOptions { security: FtpSecurity::Explicit, ..options(server.port, "") };
    assert_eq!(Ftp::open(secured).await.unwrap_err().code(), Code::Unsupported, "a password is not sent in the open");
    assert_eq!(server.count("USER"), 1);
}
